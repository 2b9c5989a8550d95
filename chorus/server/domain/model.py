"""Rows and records shared by every layer. Times are integer milliseconds since 1970 UTC."""

from __future__ import annotations

from typing import Literal

import msgspec

from chorus.server.domain import doubts
from chorus.server.domain.tasks import is_multilabel, is_shapes

State = Literal["unlabeled", "in_progress", "labeled", "needs_review", "skipped", "removed"]
STATES: tuple[State, ...] = (
    "unlabeled",
    "in_progress",
    "labeled",
    "needs_review",
    "skipped",
    "removed",
)
OPEN_STATES: tuple[State, ...] = ("unlabeled", "in_progress")

PageKind = Literal["manual", "clustered", "prelabeled", "practice"]
PAGE_KINDS: tuple[PageKind, ...] = ("manual", "clustered", "prelabeled")
"""Kinds of work: what waits for people lies in a queue of its kind. Practice is none."""
PAGE_SIZES = (1, 4, 6, 9)

VoteKind = Literal["label", "skip", "flag"]
Role = Literal["labeler", "supervisor", "admin"]
ReviewAction = Literal["approve", "change", "requeue", "remove", "accept_skip", "import"]
ROUND_JOBS = ("featurize", "train", "validate", "infer", "cluster")


class LabelClass(msgspec.Struct, frozen=True):
    """One label class. Its index in the project's list is what votes store."""

    name: str
    """A path by `/`: its groups, then itself (see domain/classes)."""
    color: str
    key: str | None = None
    """The digit that chooses it; None: whichever is left (domain/classes.keys_of)."""


class Rules(msgspec.Struct, frozen=True):
    """The project settings that decide an item's life."""

    votes_min: int
    votes_max: int
    skips_max: int


class Project(msgspec.Struct):
    project_id: str
    name: str
    description: str
    instructions: str
    task_type: str
    votes_min: int
    votes_max: int
    skips_max: int
    consensus: str
    target: float
    page_size: int
    lease_ms: int
    cluster: bool
    prelabel: bool
    state: str
    seed: int
    last_seq: int
    epoch: str
    created_at: int
    estimate_rev: int = 0
    """Revision of the parameters that votes are merged with; 0 = the defaults."""
    landed_rev: int = 0
    """The last revision with which every item has been merged anew."""
    class_count: int = 0
    remerge_due: int = 0
    """Changes of the rules since every item followed them; 0: all do."""
    gold_rate: float = 0.05
    """Share of the items handed to a person that are checks."""

    audit_share: float = 0.05
    """Share of prelabeled items that go out without the prelabel (see domain/audit)."""
    evidence_since: int = 0
    """Labels made before prove nothing of the model: its prelabels broke their promise then."""
    set_rule: str = "class"
    """Consensus of label sets: 'class' (each class by itself) or 'exact' (the whole set)."""
    ordering: str = "random"
    """What to label next by hand: 'random', 'uncertain' or 'auto'."""
    board_rev: int = 1
    """Below services/timeline.BOARD_REV: the log lacks some figures of the board."""
    instructions_rev: int = 0
    """Changes of the instructions that labelers were told of."""
    fine_tune: bool = False
    show_pace: bool = True
    """Labelers see how fast they work."""
    show_agreement: bool = False
    """Labelers see how often the settled label is their answer."""
    """A network's last stages learn from the project's labels (see domain/tuning)."""
    practice: int = 0
    """Gold items that come, with their answers, before a person's first real page; 0: none."""
    iou: float = 0.5
    """From this overlap (intersection over union) on two people's shapes are the same one."""
    shape_agreement: float = 0.8
    """Share of an item's shapes that people must agree on for it to settle by votes."""
    networks: int = 0
    """Of the server's networks so many, the first ones, look at its items; 0: all. Of boxes: 1 is
    the detector that comes with Chorus, 0 the server's largest."""
    second_look: bool = True
    """One more person answers where the model contradicts a single vote."""

    @property
    def weighs(self) -> bool:
        """Skills and the model decide how many votes an item needs."""
        return not self.equal_votes and self.votes_max > self.votes_min

    @property
    def multilabel(self) -> bool:
        """A label is a set of classes."""
        return is_multilabel(self.task_type)

    @property
    def shapes(self) -> bool:
        """A label is any number of boxes, or of polygons, on a picture."""
        return is_shapes(self.task_type)

    @property
    def equal_votes(self) -> bool:
        """Everybody's votes count the same, and nothing else does."""
        exact = self.multilabel and self.set_rule == "exact"
        return self.consensus == "majority" or exact or self.shapes

    @property
    def rules(self) -> Rules:
        return Rules(self.votes_min, self.votes_max, self.skips_max)

    def rules_for(self, item: Item) -> Rules:
        """Of an item that is looked at again; those of all others where nobody could tell more."""
        if item.doubted is None or not self.second_look or item.n_skips >= self.skips_max:
            return self.rules
        return Rules(max(self.votes_min, 2), max(self.votes_max, doubts.PEOPLE), self.skips_max)


class Item(msgspec.Struct):
    """One image or text. The first block is fact; the rest is derived, and again (see `fsck`)."""

    item_id: int
    project_id: str
    name: str
    content_hash: str
    width: int
    height: int
    rank: int
    """Random order key, fixed at import from the project's seed and the content."""
    added_by: str | None
    state: State
    room: int
    n_labels: int
    n_skips: int
    n_flags: int
    n_leases: int
    n_prelabel_votes: int
    """Standing label votes whose voter saw a prelabel."""
    reached: bool
    provisional: str | None
    confidence: float | None
    agreement: float | None
    label: str | None
    label_source: str | None
    revision: int
    label_at: int | None
    review: str | None
    """Last standing review outcome: 'decided', 'removed' or None."""
    review_value: str | None
    requeue_seq: int
    """Votes with a smaller seq were set aside by a requeue."""
    queue: PageKind
    queue_pos: int
    queue_block: int
    pre_value: str | None
    pre_score: float | None
    model_value: str | None
    model_score: float | None
    odd: float | None
    easy_round: int
    """First round whose threshold this item's score met; 0 = none yet."""
    model_probs: str | None = None
    """The model's view, by heads that never saw the item's label (see domain/probs)."""
    gold: bool = False
    """While it is labeled, people are checked against its label (see services/checking)."""
    audit: bool = False
    """Its prelabel is kept from labelers, and compared with what they answer."""
    chosen: int = 0
    """The round that chose it to be labeled early; 0: it lies where chance put it; BY_HAND: a
    supervisor let it come first."""
    length: int = 0
    """Of a text, in characters; 0: a picture."""
    priority: bool = False
    """A supervisor wants it labeled before all others."""
    dicom: str | None = None
    """JSON of formats/dicom.View: which frame and window of a DICOM file people see."""
    preset: str | None = None
    """The label it had before the project started over, or a prelabel that was brought in: shown
    until answered."""
    assigned: int = 0
    """Number of the assignment it belongs to (see domain/assignment); 0: everybody's."""
    picked: bool = False
    """It was assigned by what it is, not by chance."""
    doubted: str | None = None
    """What the model said when it contradicted the only vote (see domain/doubts); None: it never
    has, or that vote is gone."""

    @property
    def shows_preset(self) -> bool:
        """The answer that waits on it is the preset one. Later a round may have put the model's
        there."""
        return self.preset is not None and self.pre_value == self.preset


BY_HAND = -1
"""As `Item.chosen`: by no model's choice, but by no chance either."""


class StandingVote(msgspec.Struct):
    """The vote of one person that counts now, on one item."""

    item_id: int
    user_id: str
    vote_id: str
    kind: VoteKind
    value: str | None
    prelabel: str | None
    seq: int


class Takeback(msgspec.Struct):
    """Votes of one person that do not count (or count again, once undone)."""

    takeback_id: int
    project_id: str
    user_id: str
    since: int
    until: int
    by_user: str
    undone_at: int | None
    seq: int | None
    """Votes cast later are not meant, whatever their time says. None: an old one."""
    pending_after: int | None
    """It has landed on the person's votes up to this seq; None: on all."""


class StartOver(msgspec.Struct):
    """All labels of a project are being set aside, in order of item_id."""

    project_id: str
    bulk_id: str
    """That of its decisions, by which all of them can be taken back."""
    user_id: str
    seq: int
    """Votes cast later are answers to the new question, and stand."""
    preset: bool
    """The old label stays as a preset answer."""
    resume: bool
    """The project was running."""
    after_item: int = 0
    done: int = 0


class Draft(msgspec.Struct):
    """A project that somebody is making."""

    draft_id: str
    user_id: str
    body: str
    """All answers so far, JSON."""
    created_at: int
    updated_at: int


class Lease(msgspec.Struct):
    lease_id: int
    project_id: str
    item_id: int
    user_id: str
    tab: str
    page_id: int
    pos: int
    prelabel: str | None
    prelabel_score: float | None
    odd: float | None
    granted_at: int
    expires_at: int
    released_at: int | None
    release_reason: str | None
    blind_check: bool = False
    """No work on the item: its answer is compared with the label, and counts as no vote."""


class User(msgspec.Struct):
    user_id: str
    login: str
    name: str
    admin: bool
    password_hash: str | None
    session_epoch: int
    created_at: int
    time_zone: str | None = None
    """As their browser says it, of the IANA database; None: none has yet."""


class Invite(msgspec.Struct):
    token_hash: str
    role: str
    project_id: str | None
    created_by: str
    created_at: int
    expires_at: int
    uses_left: int
    login: str | None
    """Of the one person it is for; None: whoever has the link."""
    name: str | None
    email: str | None


class Token(msgspec.Struct):
    """By which a program acts as a person, as far as `scope` and `project_id` go."""

    token_hash: str
    user_id: str
    name: str
    created_at: int
    scope: str
    """One of domain/grants.SCOPES."""
    project_id: str | None
    expires_at: int | None
    last_used_at: int | None


class Event(msgspec.Struct):
    project_id: str
    seq: int
    type: str
    body: dict[str, object]
    at: int


class Job(msgspec.Struct):
    job_id: str
    project_id: str
    kind: str
    round_number: int | None
    state: str
    progress: float
    attempts: int
    error: str | None
    result: str | None
    created_by: str | None
    created_at: int
    started_at: int | None
    finished_at: int | None


class Round(msgspec.Struct):
    project_id: str
    number: int
    state: str
    labels: int
    started_at: int
    finished_at: int | None
    body: str
    """JSON: card figures and queue counts (see services/rounds)."""


class Tuning(msgspec.Struct):
    """One fine-tuning of a backbone."""

    project_id: str
    number: int
    state: str
    """running, adopted, declined (it was no better), failed or cancelled."""
    labels: int
    """There were so many when it began."""
    backbone: str | None
    """The tuned network's name, once there is one."""
    started_at: int
    finished_at: int | None
    body: str
    """JSON: what the dashboard shows of it."""


class Webhook(msgspec.Struct):
    """Where a project's events are sent."""

    webhook_id: str
    project_id: str
    url: str
    types: str
    """JSON list; empty: all."""
    secret: str
    """Sealed."""
    state: str
    """active, off (by a person, or as `created_by` ceased to supervise) or failed (too long)."""
    delivered_seq: int
    failures: int
    failing_since: int | None
    next_at: int
    created_by: str
    """Whoever made it, gave it its address or turned it on, last: it ends with their role."""
    created_at: int
