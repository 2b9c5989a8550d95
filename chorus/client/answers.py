"""Answers of REST routes as types, besides those of messages.py. The server's OpenAPI is made from
them (transport/openapi.py), so they are said once. Times are ms since 1970 UTC."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from chorus.client.messages import (
    Counts,
    End,
    Export,
    Job,
    JobStats,
    Label,
    LabelClass,
    LabelerStats,
    Page,
    Project,
    RoundStats,
    Spending,
    User,
)


class Nothing(Struct):
    """An empty object: it was done."""


class Health(Struct):
    ok: bool
    version: str


# -- people and sign-in


class SignedIn(Struct):
    user: User


class Me(Struct):
    user: User
    projects: list[Project]


class MemberRole(Struct):
    project_id: str
    role: str
    by_team: bool = False
    """By their teams alone."""


class Person(User, kw_only=True):
    email: str | None = None
    last_seen_at: int | None = None
    """To the minute."""
    time_zone: str | None = None
    """As their browser says it, of the IANA database."""
    roles: list[MemberRole] = field(default_factory=list)
    """One for each project they are a member of."""
    teams: list[str] = field(default_factory=list)
    """Their ids."""


class TeamRole(Struct):
    project_id: str
    role: str


class Team(Struct):
    team_id: str
    name: str
    people: list[str]
    """user_id each."""
    projects: list[TeamRole]


class Teams(Struct):
    teams: list[Team]


class ProjectTeam(Struct):
    team_id: str
    name: str
    people: list[str]
    """user_id each."""
    role: str | None = None
    """In the project; None: not in it."""


class ProjectTeams(Struct):
    teams: list[ProjectTeam]


class Assignee(Struct):
    name: str
    user_id: str | None = None
    team_id: str | None = None


class Assignment(Struct):
    """Items that go to some people first, or to them only."""

    number: int
    people: list[Assignee]
    teams: list[Assignee]
    only: bool
    text: str
    """In their names."""
    guess: str | None
    """What the model said of them."""
    share: float
    later: bool
    """Also what came in since."""
    state: str
    """spreading, on, ending: its items follow in the background."""
    open: int
    """Items that are still to be answered."""
    stuck: int
    """Those of them that nobody can get: all who may have answered them, or there is nobody."""
    by: str
    created_at: int


class Assignments(Struct):
    assignments: list[Assignment]


class Users(Struct):
    users: list[Person]


class ErasedExport(Struct):
    project_id: str
    export_id: str


class Erased(Struct):
    pseudonym: str
    """Their login and name from here on."""
    exports: list[ErasedExport]
    """Files made before, with their login in them."""


class Link(Struct):
    url: str


class Invited(Struct):
    url: str
    token: str
    expires_at: int


class Invitation(Struct):
    role: str
    project: str | None = None
    """Its name."""
    login: str | None = None
    """Of the one person it is for."""
    name: str | None = None


class OpenInvite(Struct):
    """One that can still be used."""

    invite_id: str
    role: str
    by: str
    """Name of who made it."""
    created_at: int
    expires_at: int
    uses_left: int
    project_id: str | None = None
    project: str | None = None
    """Its name."""
    login: str | None = None
    """Of the one person it is for; None: whoever has the link."""
    name: str | None = None


class OpenInvites(Struct):
    invites: list[OpenInvite]


class Invitee(Struct):
    line: int
    login: str
    name: str
    role: str
    project_id: str
    does: Literal["invite", "join", "change", "nothing"]
    email: str | None = None
    project: str | None = None
    """Its name."""
    url: str | None = None
    """A link for this person alone, shown once."""


class ListFault(Struct):
    line: int
    message: str


class InvitedList(Struct):
    people: list[Invitee]
    faults: list[ListFault]
    """With one of them nothing is done."""
    done: bool


class Joined(Struct):
    user: User
    project_id: str | None = None


# -- projects


class Projects(Struct):
    projects: list[Project]


class ProjectMember(Struct):
    user_id: str
    login: str
    name: str
    role: str
    paused: bool = False
    by_team: bool = False
    """By their teams alone."""
    last_seen_at: int | None = None
    time_zone: str | None = None


class Members(Struct):
    members: list[ProjectMember]


class MemberLeft(Struct):
    members: list[ProjectMember]
    invites_ended: int
    """Invitations by which they could have come back."""


class NameCount(Struct):
    name: str
    count: int


class FoundClasses(Struct):
    """Names that the data brings along and the project has no class of."""

    folders: list[NameCount]
    labels: list[NameCount]


class StartingOver(Struct):
    running: bool
    done: int = 0
    bulk_id: str | None = None


class Votes(Struct):
    now: int | float | None = None
    then: int | float | None = None


class ChangePreview(Struct):
    """What a change of the rules would do to the items there are."""

    items: int
    whole: bool
    moves: list[tuple[str, str, int]]
    open_again: int
    settle: int
    to_review: int
    relabeled: int
    votes_asked: Votes
    checks_per_1000: list[int | float] = field(default_factory=list)
    audits_per_1000: list[int | float] = field(default_factory=list)


class ProjectChange(Struct):
    seq: int
    at: int
    user_id: str | None = None
    by: str | None = None
    change: Any = None


class Changes(Struct):
    changes: list[ProjectChange]
    next: int | None = None


class Reader(Struct):
    """How far somebody has read the instructions."""

    user_id: str
    name: str
    role: str
    revision: int | None = None
    at: int | None = None


class Readers(Struct):
    revision: int
    people: list[Reader]


class Confirmed(Struct):
    confirmed: int


class Html(Struct):
    html: str


class Draft(Struct):
    draft_id: str
    body: dict[str, Any]
    created_at: int
    updated_at: int


class Drafts(Struct):
    drafts: list[Draft]


class DraftData(Struct):
    """What a draft's data holds."""

    items: int = 0
    faults: Any = None
    folders: list[tuple[str, int]] = field(default_factory=list)
    labels: list[tuple[str, int]] = field(default_factory=list)
    tables: Any = None
    error: str | None = None


class Initialized(Struct):
    project: Project
    job: Job | None = None


# -- items and review


class Decided(Struct, rename={"class_name": "class"}):
    seq: int
    user_id: str
    name: str | None = None
    action: str = ""
    class_name: Any = None
    at: int | None = None


class MergedShape(Struct, rename={"class_name": "class"}):
    """What some people drew in one place."""

    class_name: str
    seen: int
    """How many drew it."""
    of: int
    """How many looked."""
    iou: float
    """Mean overlap of their shapes with this one."""
    class_share: float
    """Share of those who drew it that chose its class."""
    by: list[str]
    """user_id of those who drew it."""
    box: list[float] | None = None
    points: list[list[float]] | None = None


class ShapeConsensus(Struct):
    shapes: list[MergedShape]
    """What more than half of the people drew."""
    disputed: list[MergedShape]
    """What somebody drew, and half or more did not."""


class Item(Struct):
    """An item as a supervisor sees it."""

    item_id: int
    name: str
    state: str
    width: int = 0
    height: int = 0
    thumb: str | None = None
    image: str | None = None
    text: str | None = None
    length: int = 0
    label: Label | None = None
    source: str | None = None
    """votes or review."""
    provisional: Label | None = None
    confidence: float | None = None
    agreement: float | None = None
    doubt: float | None = None
    gold: bool = False
    gold_note: str | None = None
    """What whoever practises on it is told beside the label."""
    decided: Decided | None = None
    votes: list[dict[str, Any]] = field(default_factory=list)
    consensus: ShapeConsensus | None = None
    """Of boxes and polygons: what the votes add up to, shape by shape."""
    model: dict[str, Any] | None = None
    flagged: list[dict[str, Any]] = field(default_factory=list)
    comments: int = 0


class Items(Struct):
    items: list[Item]
    next: int | None = None
    """`after` of the next page; None: this was the last."""
    total: int | None = None


class SimilarItem(Struct):
    item_id: int
    name: str
    state: str
    similarity: float
    thumb: str | None = None
    image: str | None = None
    width: int = 0
    height: int = 0
    label: Label | None = None
    provisional: Label | None = None
    source: str | None = None


class SimilarItems(Struct):
    items: list[SimilarItem]
    ready: bool
    reason: str | None = None


class DecisionMade(Struct):
    state: str
    seq: int
    label: Label | None = None


class RefusedCount(Struct):
    code: str
    message: str
    count: int


class Bulk(Struct):
    """A decision for many items, on its way; the same `bulk_id` asked again goes on with it."""

    bulk_id: str
    action: str
    state: str
    of: int | None = None
    done: int = 0
    refused: list[RefusedCount] = field(default_factory=list)


class RefusedItem(Struct):
    item_id: int
    code: str
    message: str


class GoldMarked(Struct):
    done: list[int]
    refused: list[RefusedItem]


class GoldNoteKept(Struct):
    item_id: int
    text: str


class PracticeOrdered(Struct):
    run: int
    """How many times the person will have been asked to practise."""


class Comment(Struct):
    comment_id: str
    item_id: int
    labeler_id: str
    user_id: str
    text: str
    seq: int
    at: int
    labeler: str | None = None
    name: str | None = None


class Comments(Struct):
    comments: list[Comment]


class CommentKept(Struct):
    comment: Comment
    duplicate: bool


class Thread(Struct):
    item: dict[str, Any]
    labeler_id: str
    comments: int
    unread: int
    last: Comment
    labeler: str | None = None


class Threads(Struct):
    threads: list[Thread]
    unread: int
    next: int | None = None


class Unread(Struct):
    unread: int


# -- people's work


class History(Struct):
    votes: list[dict[str, Any]]
    next: int | None = None
    """`before` of the next page; None: this was the last."""


class Note(Struct):
    seq: int
    at: int
    user_id: str
    name: str
    text: str
    item: dict[str, Any] | None = None
    to: dict[str, Any] | None = None


class Notes(Struct):
    notes: list[Note]


class NoteKept(Struct):
    note: Note


class Paused(Struct):
    paused: bool


class VotesTaken(Struct):
    takeback_id: int
    user_id: str
    since: int
    until: int
    votes: int
    created_at: int
    name: str | None = None
    by: str | None = None
    undone_at: int | None = None
    pending: bool = False


class Takebacks(Struct):
    takebacks: list[VotesTaken]


class TakenBack(Struct):
    items: int
    pending: bool
    takeback_id: int | None = None


class Holding(Struct):
    """What a person holds."""

    here: bool
    pages: list[Page]
    active_at: int | None = None


class PageTaken(Struct):
    page_ids: list[int]
    items: int


class Quality(Struct):
    """See docs/protocol.md, `quality.get`."""

    labelers: list[dict[str, Any]]


# -- dashboard


class Moment(Struct):
    """The dashboard at a past moment."""

    project_id: str
    seq: int
    epoch: str
    at: int
    counts: Counts
    name: str = ""
    state: str = ""
    labels: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    votes: int = 0
    queue: dict[str, int] = field(default_factory=dict)
    gold: int = 0
    labelers: list[LabelerStats] = field(default_factory=list)
    spending: Spending | None = None
    forecast: End | None = None


class Curve(Struct):
    """Progress over time: `points` has a number for each of `fields`, oldest first."""

    seq: int
    fields: list[str]
    points: list[list[int]]


class BackupState(Struct):
    """`at`: of the newest backup, ms since 1970; `error`: why the last attempt failed."""

    at: int | None
    error: str | None
    failing_since: int | None
    running: bool


class ServerFigures(Struct):
    at: int
    people: int
    sockets: int
    acks: int
    events_per_s: float
    votes_per_s: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    backup: BackupState | None = None


# -- model


class Rounds(Struct):
    rounds: list[RoundStats]


class ModelFile(Struct):
    available: bool
    reason: str | None = None


class RoundCard(Struct):
    round: RoundStats
    jobs: list[JobStats]
    classes: list[LabelClass]
    model: ModelFile
    card: dict[str, Any] | None = None
    """See docs/protocol.md, `GET …/rounds/{n}/card`."""


class JobLog(Struct):
    log: str | None = None
    reason: str | None = None


# -- exports


class Exports(Struct):
    exports: list[Export]
    """Newest first."""
    formats: list[str]
    """Those that fit the project's task."""


# -- events


class LogEvent(Struct):
    """What happened; types and bodies are those of docs/protocol.md, Events."""

    seq: int
    type: str
    at: int
    body: dict[str, Any]


class Events(Struct):
    events: list[LogEvent]
    next: int
    """`since` of the next call."""
    epoch: str
    """Another epoch: another log, begin anew."""


# -- tokens, preferences, sources, labels from elsewhere


class Token(Struct):
    token_id: str
    name: str
    scope: str
    created_at: int
    project_id: str | None = None
    expires_at: int | None = None
    last_used_at: int | None = None


class Tokens(Struct):
    tokens: list[Token]


class FreshToken(Token, kw_only=True):
    token: str
    """Shown once."""


class MyProjects(Struct):
    projects: list[dict[str, Any]]


class Refresh(Struct):
    """One reading of a data source."""

    job_id: str
    state: str
    """running, done, failed or cancelled."""
    progress: float
    started_at: int | None = None
    finished_at: int | None = None
    error: str | None = None
    phase: str | None = None
    listed: int = 0
    others: int = 0
    total: int = 0
    done: int = 0
    added: int = 0
    duplicates: int = 0
    faulty: int = 0
    changed: int = 0
    """Found to be other than what came in."""
    gone: int = 0


class Source(Struct):
    """A place that a project's data is read from, again and again."""

    source_id: str
    name: str
    url: str
    mode: str
    """copy or reference."""
    endpoint: str
    region: str
    account: str
    has_credentials: bool
    objects: dict[str, int]
    """Files by state: in, new, faulty, changed, gone."""
    created_at: int
    every_minutes: int | None = None
    """None: only on request."""
    next_at: int | None = None
    last: Refresh | None = None


class Sources(Struct):
    sources: list[Source]


class SourceTest(Struct):
    ok: bool
    message: str
    files: int | None = None
    others: int | None = None
    examples: list[str] = field(default_factory=list)


class SourceObject(Struct):
    name: str
    size: int | None = None
    state: str | None = None
    reason: str | None = None


class SourceObjects(Struct):
    objects: list[SourceObject]
    next: str | None = None


class LabelImport(Struct):
    import_id: str
    state: str
    progress: float = 0.0
    error: str | None = None
    created_at: int = 0
    finished_at: int | None = None
    summary: dict[str, Any] | None = None


class LabelImports(Struct):
    imports: list[LabelImport]


# -- webhooks


class Webhook(Struct):
    """`state`: active, off, or failed (it was turned off after failing for three days)."""

    webhook_id: str
    url: str
    state: str
    types: list[str]
    delivered_seq: int
    failures: int
    created_at: int
    failing_since: int | None = None
    next_at: int | None = None
    made_by: str | None = None
    """Name of whoever made it, or has since given it an address or turned it on."""
    maker_left: bool = False
    """They do not supervise the project any more: that has turned it off."""


class FreshWebhook(Webhook, kw_only=True):
    secret: str
    """Shown once."""


class Webhooks(Struct):
    webhooks: list[Webhook]


class Delivery(Struct):
    """One attempt; `error` None: it was taken."""

    message_id: str
    events: int
    attempt: int
    ms: int
    at: int
    status: int | None = None
    error: str | None = None


class Deliveries(Struct):
    deliveries: list[Delivery]
    """Newest first."""


class WebhookTest(Struct):
    ok: bool
    ms: int
    status: int | None = None
    error: str | None = None
