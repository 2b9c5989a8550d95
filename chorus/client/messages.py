"""The messages of docs/protocol.md as types. Fields unknown here are ignored when read."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct, field

PageKind = Literal["manual", "clustered", "prelabeled", "practice"]
VoteKind = Literal["label", "skip", "flag"]
Role = Literal["labeler", "supervisor", "admin"]
Id = str | int
"""Opaque: sent back to the server as it came."""


class User(Struct):
    user_id: str
    login: str
    name: str
    admin: bool = False


class LabelClass(Struct):
    name: str
    color: str = ""
    key: str | None = None
    """The digit that chooses it on a labeler's page."""


class Project(Struct):
    project_id: str
    name: str
    classes: list[LabelClass]
    description: str = ""
    instructions: str = ""
    task_type: str = "multiclass"
    votes_min: int = 1
    votes_max: int = 1
    skips_max: int = 1
    consensus: str = "majority"
    set_rule: str = "class"
    iou: float = 0.5
    """From this overlap on two people's shapes are the same one."""
    shape_agreement: float = 0.8
    """Share of an item's shapes that people must agree on for it to settle by votes."""
    target: float = 0.95
    page_size: int = 9
    lease_ms: int = 600_000
    cluster: bool = True
    prelabel: bool = True
    ordering: str = "random"
    """What is labeled next by hand: random, uncertain or auto."""
    fine_tune: bool = False
    """A network's last stages learn from the project's labels."""
    networks: int = 0
    """Of the server's networks so many, the first ones, look at its items; 0: all."""
    second_look: bool = True
    """Somebody else is asked where the model contradicts an item's only vote."""
    practice: int = 0
    """Gold items that come, with their answers, before a person's first real page."""
    gold_rate: float | None = None
    audit_share: float | None = None
    """None for a labeler: how much of their work is checked is not theirs to know."""
    state: str = "running"
    items: int = 0
    role: str | None = None
    created_at: int = 0

    @property
    def assisted(self) -> bool:
        """A model is trained while people work."""
        return self.cluster or self.prelabel or self.ordering != "random"

    @property
    def multilabel(self) -> bool:
        """A label is a set of classes."""
        return self.task_type.endswith("multilabel")

    @property
    def shapes(self) -> bool:
        """A label is any number of boxes, or of polygons, on a picture."""
        return self.task_type in ("boxes", "polygons")

    @property
    def class_names(self) -> list[str]:
        return [c.name for c in self.classes]


Shapes = dict[str, list[dict[str, Any]]]
"""`{"boxes": [{"class", "box": [x, y, width, height]}, …]}`, or `{"polygons": [{"class",
"points": [[x, y], …]}, …]}`, in pixels of the upright picture; of a model each with its `score`."""
Answer = str | list[str] | Shapes
"""A label to give: one class's name; of label sets, the names of its classes, maybe none; shapes as
they travel."""
Label = str | list[Any]
"""A label as it is told: one class's name; the names of a set; or the list of shapes."""


def wire_value(answer: Answer) -> dict[str, Any]:
    """How a label travels."""
    if isinstance(answer, dict):
        return answer
    return {"class": answer} if isinstance(answer, str) else {"classes": list(answer)}


class Prelabel(Struct, rename={"class_name": "class"}):
    """The model's answer for one item; `score` in 0…1, None for the label that it had before the
    project started over."""

    class_name: str = ""
    score: float | None = 0.0
    classes: list[str] | None = None
    """Of label sets, in place of the one class."""
    boxes: list[dict[str, Any]] | None = None
    polygons: list[dict[str, Any]] | None = None
    """Of shapes, each with a score of its own."""

    @property
    def answer(self) -> Answer:
        """What an answer that lets it stand says."""
        for kind in ("boxes", "polygons"):
            shapes = getattr(self, kind)
            if shapes is not None:
                return {kind: [{k: v for k, v in s.items() if k != "score"} for s in shapes]}
        return self.class_name if self.classes is None else self.classes


class StandingVote(Struct):
    """The person's own vote on an item, when a page is sent again."""

    vote_id: str
    kind: VoteKind
    value: dict[str, Any] | None = None


class DicomView(Struct):
    """Which frame of a DICOM file is shown, and in which window (None: it is in colour)."""

    frame: int
    frames: int
    center: float | None = None
    width: float | None = None
    low: float | None = None
    high: float | None = None


class PageItem(Struct):
    item_id: int
    lease_id: Id
    name: str
    thumb: str | None = None
    image: str | None = None
    """URLs of a picture, small and large."""
    text: str | None = None
    """URL of a text: `Text` as JSON. An item has pictures or a text."""
    length: int = 0
    """Of a text, in characters."""
    width: int = 0
    height: int = 0
    dicom: DicomView | None = None
    prelabel: Prelabel | None = None
    odd: float | None = None
    vote: StandingVote | None = None


class Text(Struct):
    """What the URL of a text gives: (name, text) of each field; a text file's name is ""."""

    fields: list[tuple[str, str]]


class PracticePlace(Struct):
    done: int
    """Practice items before this page."""
    of: int


class Page(Struct):
    page_id: Id
    kind: PageKind
    size: int
    items: list[PageItem]
    round: int | None = None
    expires_at: int = 0
    practice: PracticePlace | None = None
    """Only of a practice page."""


class Counts(Struct):
    unlabeled: int = 0
    in_progress: int = 0
    labeled: int = 0
    needs_review: int = 0
    skipped: int = 0
    removed: int = 0
    items: int = 0


class SecondLooks(Struct):
    """Where the model contradicted an item's only vote, up to a round."""

    asked: int = 0
    """Items that the round itself asked others about."""
    items: int = 0
    """… and all rounds did."""
    changed: int = 0
    """Of these those labeled as the model said."""


class RoundStats(Struct):
    """One turn of the model as the dashboard shows it; `seconds` is wall time."""

    number: int
    state: str = ""
    labels: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    seconds: float | None = None
    model_accuracy: float | None = None
    threshold: float | None = None
    lower_bound: float | None = None
    coverage: float | None = None
    prelabeled: int | None = None
    clustered: int | None = None
    purity: float | None = None
    backbone: str | None = None
    doubted: SecondLooks | None = None
    reason: str | None = None


class JobStats(Struct):
    job_id: str
    kind: str
    state: str
    progress: float = 0.0
    attempts: int = 0
    error: str | None = None
    seconds: float | None = None
    ahead: int = 0
    """Other work the job waits for, although it is its round's turn."""


class Mixing(Struct):
    """How much of the work by hand is the model's choice; the rest comes by chance."""

    queue: float = 0.0
    """Share of the places in the queue."""
    labels: float | None = None
    """Share of the labels made without a prelabel, at the last round."""


class Outcome(Struct):
    """How good heads are: `loss` is cross-entropy in nats an item."""

    loss: float
    accuracy: float


class TuningStats(Struct):
    """One fine-tuning; `state`: running, adopted, declined, failed or cancelled. `progress`: of the
    training, then of the look at all items with the new network. Judged on `judged_on` items, with
    the features `before`, and with the new network's besides (`after`)."""

    number: int
    state: str
    labels: int
    base: str = ""
    started_at: int = 0
    finished_at: int | None = None
    seconds: float | None = None
    progress: float = 0.0
    backbone: str | None = None
    pictures: int | None = None
    steps: int | None = None
    losses: list[float] = field(default_factory=list)
    device: str | None = None
    judged_on: int | None = None
    heads_from: int | None = None
    before: Outcome | None = None
    after: Outcome | None = None
    reason: str | None = None


class Tuning(Struct):
    """`blocked`: why none can begin now."""

    enabled: bool = False
    running: bool = False
    blocked: str | None = None
    newest: TuningStats | None = None


class Assist(Struct):
    round_due: bool = False
    running: bool = False
    landing: bool = False
    """The round's answers are being handed out: it can no longer be cancelled."""
    train_blocked: str | None = None
    """Why no round can start now."""
    next_round_at: int | None = None
    next_round_of: str = "label"
    featurized: int = 0
    featurize_total: int = 0
    featurize_pass: int = 1
    prelabel_reason: str | None = None
    labels_needed: int | None = None
    ordering: str = "random"
    mixing: Mixing = field(default_factory=Mixing)
    round: RoundStats | None = None
    rounds: list[RoundStats] = field(default_factory=list)
    jobs: list[JobStats] = field(default_factory=list)
    tuning: Tuning = field(default_factory=Tuning)


class LabelerStats(Struct):
    user_id: str
    name: str
    votes: int = 0
    labels: int = 0
    skips: int = 0
    prelabels_seen: int = 0
    prelabels_changed: int = 0
    compared: int = 0
    """Labels on labeled items that have another witness …"""
    agreed: int = 0
    """… and those of them that are the item's label."""
    per_hour: float | None = None
    last_at: int | None = None
    here: bool = False
    page_kind: str | None = None
    paused: bool = False


class Left(Struct):
    """Votes still to give, with a 95 % interval."""

    value: int
    low: int
    high: int


class Spending(Struct):
    """What the votes have brought; `saved`: against votes_max for every settled item."""

    spent: int = 0
    settled: int = 0
    per_item: float | None = None
    saved: int = 0
    left: Left | None = None
    method: str = ""
    note: str = ""


class Interval(Struct):
    """A value that lies between `low` and `high`, `n` answers behind it."""

    n: int
    low: float
    high: float
    seconds: float | None = None
    value: float | None = None


class ViewPace(Struct):
    """What an item costs in one view: `seconds` (median, quartiles), `errors` (share, 95 %)."""

    view: str
    timed: int = 0
    seconds: Interval | None = None
    judged: int = 0
    errors: Interval | None = None
    saved_s: float | None = None
    """Seconds saved so far, against work by hand."""


class RoundPages(Struct):
    """How alike a round's clustered pages were expected to be, and turned out."""

    round: int
    expected: float | None = None
    blocks: int | None = None
    served: int | None = None
    pages: int = 0
    alike: float | None = None
    saved: float | None = None
    withdrawn: bool = False


class ClusterState(Struct):
    state: str
    """fewer, paused"""
    note: str


class Pace(Struct):
    """What each way of working costs, measured up to event `seq`."""

    seq: int = 0
    views: list[ViewPace] = field(default_factory=list)
    note: str = ""
    flagged: int = 0
    """Items that somebody flagged when they came as a check, and no decision has answered."""
    rounds: list[RoundPages] = field(default_factory=list)
    clusters: ClusterState | None = None


class End(Struct):
    """When the votes that are left will have been given (ms), with a 95 % interval."""

    at: int
    low: int
    high: int | None = None
    per_hour: float = 0.0
    window_ms: int = 0


class Stats(Struct):
    """The supervisor's dashboard as of event `seq`."""

    project_id: str
    seq: int
    epoch: str
    counts: Counts
    name: str = ""
    state: str = "running"
    at: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    """Gold items by their label, as `labels`."""
    votes: int = 0
    queue: dict[str, int] = field(default_factory=dict)
    gold: int = 0
    urgent: int = 0
    """Open items that come before all others."""
    labelers: list[LabelerStats] = field(default_factory=list)
    assist: Assist = field(default_factory=Assist)
    estimating: bool = False
    """The labelers' skills are being estimated anew, or will be now."""
    remerging: bool = False
    """Some items do not follow the newest rules or estimate yet."""
    spending: Spending = field(default_factory=Spending)
    forecast: End | None = None
    pace: Pace = field(default_factory=Pace)
    measuring: bool = False
    """Answers are not all measured yet, or clusters are being withdrawn."""
    imports: list[dict[str, Any]] = field(default_factory=list)


class Fault(Struct):
    name: str
    reason: str


class Job(Struct):
    """An import (or other) job; `progress` in 0…1."""

    job_id: str
    kind: str
    state: str
    progress: float = 0.0
    added: int = 0
    duplicates: int = 0
    faulty: int = 0
    total: int = 0
    errors: list[Fault] = field(default_factory=list)
    error: str | None = None


class VoteAck(Struct):
    """The vote is on the server's disk. `duplicate`: it already was."""

    seq: int
    duplicate: bool = False
    practice: dict[str, Any] | None = None
    """In practice, what is right: `{"right", "answer", "note"}`."""


class Frame(Struct):
    """Any frame of the server; the body stays raw until somebody knows its type."""

    re: int | None = None
    sub: int | None = None
    ok: bool | None = None
    type: str | None = None
    seq: int | None = None
    body: msgspec.Raw = field(default_factory=msgspec.Raw)
    error: dict[str, Any] | None = None


class Export(Struct):
    """An export that is kept on the server."""

    export_id: str
    state: str
    """waiting, running, done or failed."""
    progress: float
    created_at: int
    format: str = ""
    filter: dict[str, Any] = {}
    people: str = "logins"
    content: bool = True
    error: str | None = None
    finished_at: int | None = None
    by: str | None = None
    bytes: int | None = None
    items: int | None = None
    labeled: int | None = None
    votes: int | None = None
    missing: int = 0
    """Pictures or texts that should be in it and are not on the server's machine."""
    manifest: dict[str, Any] | None = None
    """What is in it, once it is done and asked for alone."""


class LabelImport(Struct):
    """Labels from elsewhere, looked through (state ready) or brought in (done)."""

    import_id: str
    state: str
    """checking, ready, landing, done or failed."""
    progress: float
    created_at: int
    kind: str = "labels"
    file: str = ""
    format: str | None = None
    error: str | None = None
    finished_at: int | None = None
    by: str | None = None
    person: str | None = None
    people: dict[str, str] = {}
    existing: str = "keep"
    blind: bool = False
    summary: dict[str, Any] | None = None
    """What the dry run has found."""
    total: int = 0
    landed: int = 0
    done: int = 0
    refused: dict[str, int] = {}
    errors: list[dict[str, str]] = []
    """Lines that cannot be used: place, name, reason."""
