"""Projects: make, change, pause; who is a member with which role."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from chorus.server import matching
from chorus.server.clock import now_ms
from chorus.server.consensus import CHOICES
from chorus.server.consensus.sets import RULES as SET_RULES
from chorus.server.domain.classes import (
    CLASSES_MAX,
    check_color,
    check_key,
    check_name,
    color_of,
    keys_of,
)  # fmt: skip
from chorus.server.domain.grants import role_by
from chorus.server.domain.model import PAGE_SIZES, Event, LabelClass, Project, User
from chorus.server.domain.ordering import ORDERINGS
from chorus.server.domain.tasks import TASK_TYPES, is_multilabel, is_shapes, is_text
from chorus.server.domain.values import SEPARATOR, Schema
from chorus.server.errors import ApiError
from chorus.server.services import remerging
from chorus.server.services.accounts import CurrentUser, join, leave
from chorus.server.services.fitting import fitting
from chorus.server.services.prose import to_html
from chorus.server.services.remerging import Remerging
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

RULES = frozenset(
    {
        "votes_min", "votes_max", "skips_max", "target", "consensus", "set_rule", "iou",
        "shape_agreement", "second_look",
    }
)  # fmt: skip
"""Settings by which votes add up to labels, and items need votes."""
TARGET = 0.95
SHAPES_TARGET = 0.6
"""Share of the model's shapes that are to be right: a wrong one costs one key, one that is missing
two or three, and people look at the picture anyway."""
RANKS = {"labeler": 0, "supervisor": 1, "admin": 2}
SET_CHOICES = ("auto", "majority")
"""Consensus methods of label sets, and of shapes."""
GOLD_RATE_MAX = 0.5
PRACTICE_MAX = 200
NETWORKS_MAX = 8
AUDIT_SHARE_MAX = 0.5
"""More checks than work would be no project."""


class NewClass(msgspec.Struct):
    name: str
    color: str | None = None
    key: str | None = None
    """The digit that chooses it; None: whichever is left."""


class NewProject(msgspec.Struct):
    """Body of `POST /api/projects`."""

    name: str
    classes: list[str | NewClass]
    description: str = ""
    instructions: str = ""
    task_type: str = "multiclass"
    votes_min: int = 1
    votes_max: int = 1
    skips_max: int | None = None
    consensus: str = "auto"
    set_rule: str = "class"
    target: float | None = None
    """None: 0.95; of shapes SHAPES_TARGET."""
    iou: float = 0.5
    shape_agreement: float = 0.8
    page_size: int | None = None
    """None: 9, and 1 of boxes and polygons, which are drawn on one picture at a time."""
    lease_ms: int = 600_000
    cluster: bool | None = None
    """None: for pictures with classes. Texts that are alike are not seen at a glance."""
    prelabel: bool = True
    gold_rate: float = 0.05
    practice: int = 0
    audit_share: float = 0.05
    ordering: str = "random"
    show_pace: bool = True
    show_agreement: bool = False
    networks: int = 0
    """So many of the server's networks look at the items; 0: all of them. Of boxes: 1 is the
    detector that comes with Chorus, 0 the server's largest."""
    fine_tune: bool | None = None
    """None: for pictures, where the server has a GPU."""
    second_look: bool = True
    seed: int | None = None


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PATCH /api/projects/{id}`; what is absent stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    instructions: str | msgspec.UnsetType = msgspec.UNSET
    page_size: int | msgspec.UnsetType = msgspec.UNSET
    lease_ms: int | msgspec.UnsetType = msgspec.UNSET
    target: float | msgspec.UnsetType = msgspec.UNSET
    consensus: str | msgspec.UnsetType = msgspec.UNSET
    set_rule: str | msgspec.UnsetType = msgspec.UNSET
    iou: float | msgspec.UnsetType = msgspec.UNSET
    shape_agreement: float | msgspec.UnsetType = msgspec.UNSET
    cluster: bool | msgspec.UnsetType = msgspec.UNSET
    prelabel: bool | msgspec.UnsetType = msgspec.UNSET
    votes_min: int | msgspec.UnsetType = msgspec.UNSET
    votes_max: int | msgspec.UnsetType = msgspec.UNSET
    skips_max: int | msgspec.UnsetType = msgspec.UNSET
    gold_rate: float | msgspec.UnsetType = msgspec.UNSET
    practice: int | msgspec.UnsetType = msgspec.UNSET
    audit_share: float | msgspec.UnsetType = msgspec.UNSET
    ordering: str | msgspec.UnsetType = msgspec.UNSET
    show_pace: bool | msgspec.UnsetType = msgspec.UNSET
    show_agreement: bool | msgspec.UnsetType = msgspec.UNSET
    fine_tune: bool | msgspec.UnsetType = msgspec.UNSET
    networks: int | msgspec.UnsetType = msgspec.UNSET
    second_look: bool | msgspec.UnsetType = msgspec.UNSET
    state: str | msgspec.UnsetType = msgspec.UNSET
    quiet: bool = False
    """Of new instructions: labelers are not asked to read them (a slip of the pen)."""


def settings_of(change: Change) -> dict[str, Any]:
    """The settings that are to be changed."""
    named = msgspec.structs.asdict(change).items()
    return {k: v for k, v in named if v is not msgspec.UNSET and k != "quiet"}


def check_settings(settings: dict[str, Any], task_type: str) -> None:
    """Raises `ApiError('bad_value')` naming the setting that cannot be."""

    def refuse(message: str) -> None:
        raise ApiError("bad_value", message)

    if "name" in settings and not 1 <= len(settings["name"].strip()) <= 200:
        refuse("a project needs a name of 1 to 200 characters")
    if len(settings.get("instructions", "")) > 100_000:
        refuse("instructions are longer than 100,000 characters")
    if "page_size" in settings and settings["page_size"] not in PAGE_SIZES:
        refuse("page_size must be 1, 4, 6 or 9")
    if "lease_ms" in settings and not 1_000 <= settings["lease_ms"] <= 86_400_000:
        refuse("lease_ms must be between one second and one day")
    if "target" in settings and not 0.5 <= settings["target"] < 1:
        refuse("target must be at least 0.5 and below 1")
    if "votes_min" in settings and not (1 <= settings["votes_min"] <= settings["votes_max"] <= 100):
        refuse("votes must satisfy 1 <= votes_min <= votes_max <= 100")
    if "skips_max" in settings and not 1 <= settings["skips_max"] <= 100:
        refuse("skips_max must be 1 to 100")
    if "gold_rate" in settings and not 0 <= settings["gold_rate"] <= GOLD_RATE_MAX:
        refuse(f"gold_rate must be 0 (no checks) to {GOLD_RATE_MAX}")
    if "practice" in settings and not 0 <= settings["practice"] <= PRACTICE_MAX:
        refuse(f"practice must be 0 (none) to {PRACTICE_MAX} items")
    if "audit_share" in settings and not 0 <= settings["audit_share"] <= AUDIT_SHARE_MAX:
        refuse(f"audit_share must be 0 (no audit) to {AUDIT_SHARE_MAX}")
    if not 0 <= settings.get("networks", 0) <= NETWORKS_MAX:
        refuse(f"networks must be 0 (all the server has) to {NETWORKS_MAX}")
    if settings.get("state", "running") not in ("running", "paused", "archived"):
        refuse("state must be running, paused or archived")
    if "consensus" in settings and settings["consensus"] not in CHOICES:
        refuse(f"consensus must be one of {', '.join(CHOICES)}")
    if settings.get("ordering", "random") not in ORDERINGS:
        refuse(f"ordering must be one of {', '.join(ORDERINGS)}")
    if settings.get("fine_tune") and is_text(task_type):
        refuse("fine-tuning is for pictures; encoders of texts stay as they are")
    if settings.get("set_rule", "class") not in SET_RULES:
        refuse(f"set_rule must be one of {', '.join(SET_RULES)}")
    if task_type not in TASK_TYPES:
        refuse(f"task_type must be one of {', '.join(TASK_TYPES)}")
    if is_multilabel(task_type) and settings.get("consensus", "auto") not in SET_CHOICES:
        refuse(f"for label sets, consensus must be one of {', '.join(SET_CHOICES)}")
    if not 0.1 <= settings.get("iou", 0.5) <= 0.95:
        refuse("iou must be 0.1 to 0.95")
    if not 0 < settings.get("shape_agreement", 0.8) <= 1:
        refuse("shape_agreement must be above 0 and at most 1")
    if is_shapes(task_type):
        if settings.get("consensus", "auto") not in SET_CHOICES:
            refuse(f"for boxes and polygons, consensus must be one of {', '.join(SET_CHOICES)}")
        if settings.get("page_size", 1) != 1:
            refuse("boxes and polygons are drawn on one picture at a time: page_size must be 1")
        if settings.get("cluster"):
            refuse("boxes and polygons are not clustered")
        if settings.get("fine_tune"):
            refuse("fine-tuning is for classes; boxes are learned by a detector")
        if settings.get("ordering", "random") != "random":
            refuse("for boxes and polygons, ordering must be random")


def make_classes(given: list[str | NewClass], task_type: str, first: int = 0) -> list[LabelClass]:
    """Raises `ApiError`: bad_value, conflict (a name twice)."""
    out: list[LabelClass] = []
    barred = SEPARATOR if is_multilabel(task_type) else None
    names: set[str] = set()
    if len(given) > CLASSES_MAX:
        raise ApiError("bad_value", f"a project has at most {CLASSES_MAX} classes")
    for index, entry in enumerate(given):
        new = NewClass(entry) if isinstance(entry, str) else entry
        name = check_name(new.name, barred)
        if name in names:
            raise ApiError("conflict", f"the class {name!r} is there twice")
        names.add(name)
        color = color_of(first + index) if new.color is None else check_color(new.color)
        out.append(LabelClass(name, color, check_key(new.key, first + len(given))))
    return out


class Projects:
    """Keeps each project's schema in memory: votes are parsed against it on the event loop."""

    def __init__(
        self,
        store: Store,
        remerging: Remerging,
        gpu: bool = False,
        networks: Sequence[str] = (),
        detectors: Sequence[str] = (),
    ) -> None:
        """gpu: the server has one. networks: what looks at pictures, in order. detectors: what may
        find boxes on them."""
        self._detectors = detectors
        self._gpu = gpu
        self._networks = networks
        self._store = store
        self._remerging = remerging
        self._schemas: dict[str, Schema] = {}
        self._roles: dict[tuple[str, str], str | None] = {}
        self._archived: set[str] = set()
        self.less: Callable[[str, str, str], None] = lambda project_id, user_id, role: None
        """Called for whoever has left a project or has a lesser role, with the one until now."""

    def equipment(self) -> dict[str, Any]:
        """networks: names of those that look at pictures; detectors: of those that find boxes; gpu:
        whether the server has one."""
        return {"networks": self._networks, "detectors": self._detectors, "gpu": self._gpu}

    async def load(self) -> None:
        def fn(tx: Tx) -> tuple[dict[str, Schema], set[str]]:
            projects = tx.projects()
            archived = {p.project_id for p in projects if p.state == "archived"}
            return {p.project_id: tx.schema(p) for p in projects}, archived

        self._schemas, self._archived = await self._store.read(fn)
        if any(schema.shapes for schema in self._schemas.values()):
            await asyncio.to_thread(matching.warm)

    def schema(self, project_id: str) -> Schema:
        """Raises `ApiError('not_found')` for an unknown project."""
        try:
            return self._schemas[project_id]
        except KeyError:
            raise ApiError("not_found", "no such project") from None

    def put_schema(self, project_id: str, schema: Schema) -> None:
        """After any change of classes."""
        self._schemas[project_id] = schema

    def drop(self, project_id: str) -> None:
        """The project is gone: nobody finds it any more."""
        self._schemas.pop(project_id, None)
        self._archived.discard(project_id)
        self.forget_roles()

    def require_open(self, project_id: str) -> None:
        """Raises `ApiError('conflict')` for an archived project: it is only read."""
        if project_id in self._archived:
            raise ApiError("conflict", "this project is archived: bring it back to change it")

    def classes(self, project_id: str) -> Sequence[LabelClass]:
        """Raises `ApiError('not_found')` for an unknown project."""
        return self.schema(project_id).classes

    def ids(self) -> list[str]:
        return list(self._schemas)

    # -- roles

    async def role(self, user: CurrentUser, project_id: str) -> str:
        """The user's role, as far as their token goes. Raises `forbidden` for a project they cannot
        see, `not_found` for one that is not there (said to admins only: others learn nothing)."""
        role = await self._whole_role(user, project_id)
        if user.grant is None:
            return role
        left = role_by(user.grant, project_id, role)
        if left is None:
            raise ApiError("forbidden", "this token is for another project")
        return left

    async def _whole_role(self, user: CurrentUser, project_id: str) -> str:
        if _is_admin(user):
            self.classes(project_id)
            return "admin"
        if project_id not in self._schemas:
            raise ApiError("forbidden", "you are not a member of this project")
        key = (project_id, user.user_id)
        # The same ones before and after reading: what is forgotten meanwhile stays forgotten.
        roles = self._roles
        if key not in roles:
            roles[key] = await self._store.read(lambda tx: tx.role(*key))
        role = roles[key]
        if role is None:
            raise ApiError("forbidden", "you are not a member of this project")
        return role

    async def require(self, user: CurrentUser, project_id: str, least: str) -> str:
        role = await self.role(user, project_id)
        if RANKS[role] < RANKS[least]:
            raise ApiError("forbidden", f"this needs the role {least}")
        return role

    async def require_any(self, user: CurrentUser, least: str) -> None:
        """Raises `forbidden` where the role suffices in no project."""
        if not user.admin:
            roles = await self._store.read(lambda tx: self._roles_by(tx, user))
            if not any(RANKS[role] >= RANKS[least] for role in roles):
                raise ApiError("forbidden", f"this needs the role {least} in a project")

    async def highest(self, user: CurrentUser) -> str:
        """The highest role that the user has anywhere; "none": in no project yet."""
        if user.admin:
            return "admin"
        roles = await self._store.read(lambda tx: self._roles_by(tx, user))
        return max(roles, key=lambda role: RANKS[role], default="none")

    def _roles_by(self, tx: Tx, user: CurrentUser) -> list[str]:
        """The roles that the user has in any project, as far as their token goes."""
        if user.grant is None:
            return tx.roles_of(user.user_id)
        found = [(p.project_id, role) for p, role in _projects_of(tx, user)]
        left = (role_by(user.grant, project_id, role) for project_id, role in found)
        return [role for role in left if role is not None]

    def forget_roles(self) -> None:
        """After any change of members."""
        self._roles = {}

    # -- reading

    async def get_for(self, user: CurrentUser, project_id: str) -> dict[str, Any]:
        role = await self.role(user, project_id)
        return await self._store.read(lambda tx: self._public(tx, project_id, role, user.user_id))

    async def list_for(self, user: CurrentUser) -> list[dict[str, Any]]:
        def fn(tx: Tx) -> list[dict[str, Any]]:
            found = []
            for project, role in _projects_of(tx, user):
                left = role_by(user.grant, project.project_id, role) if user.grant else role
                if left is not None and (project.state != "archived" or left != "labeler"):
                    found.append(self._public(tx, project.project_id, left, user.user_id))
            return found

        return await self._store.read(fn)

    def _public(self, tx: Tx, project_id: str, role: str, user_id: str) -> dict[str, Any]:
        project = tx.project(project_id)
        if project is None:
            raise ApiError("not_found", "no such project")
        return {
            "project_id": project_id,
            "name": project.name,
            "description": project.description,
            "instructions": project.instructions,
            "instructions_html": to_html(project.instructions),
            "instructions_rev": project.instructions_rev,
            "confirmed_rev": tx.read_revision(project_id, user_id),
            "task_type": project.task_type,
            "classes": public_classes(tx.classes(project_id)),
            "votes_min": project.votes_min,
            "votes_max": project.votes_max,
            "skips_max": project.skips_max,
            "consensus": project.consensus,
            "set_rule": project.set_rule,
            "iou": project.iou,
            "shape_agreement": project.shape_agreement,
            "target": project.target,
            "page_size": project.page_size,
            "lease_ms": project.lease_ms,
            "cluster": project.cluster,
            "prelabel": project.prelabel,
            "ordering": project.ordering,
            "show_pace": project.show_pace,
            "show_agreement": project.show_agreement,
            "practice": project.practice,
            "fine_tune": project.fine_tune,
            "networks": project.networks,
            "second_look": project.second_look,
            "state": project.state,
            # What share of their work is checked is not for those who are checked.
            **({} if role == "labeler" else _hidden(project)),
            "items": tx.count_items(project_id),
            "role": role,
            "created_at": project.created_at,
        }

    # -- changing

    async def create(
        self,
        user: CurrentUser,
        new: NewProject,
        also: Callable[[Tx, str], None] = lambda tx, project_id: None,
    ) -> dict[str, Any]:
        """Project JSON. `also`: what else its transaction does. Raises `ApiError`, with nothing
        made."""
        settings = msgspec.structs.asdict(new)
        skips_max = new.skips_max
        if skips_max is None:
            # With one vote per item there is nobody else to ask.
            skips_max = settings["skips_max"] = 1 if new.votes_max == 1 else 2
        shapes, text = is_shapes(new.task_type), is_text(new.task_type)
        page_size = new.page_size
        if page_size is None:
            page_size = settings["page_size"] = 1 if shapes else 9
        target = new.target
        if target is None:
            target = settings["target"] = SHAPES_TARGET if shapes else TARGET
        check_settings(settings, new.task_type)
        classes = make_classes(new.classes, new.task_type)
        if is_multilabel(new.task_type) or shapes:
            if not classes:
                raise ApiError("bad_value", "a project needs at least one class")
        elif len(classes) < 2:
            raise ApiError("bad_value", "a project needs at least two classes")
        now = now_ms()
        project = Project(
            project_id=secrets.token_hex(5),
            name=new.name.strip(),
            description=new.description,
            instructions=new.instructions,
            task_type=new.task_type,
            votes_min=new.votes_min,
            votes_max=new.votes_max,
            skips_max=skips_max,
            consensus=new.consensus,
            target=target,
            page_size=page_size,
            lease_ms=new.lease_ms,
            cluster=not text and not shapes if new.cluster is None else new.cluster,
            prelabel=new.prelabel,
            state="running",
            seed=secrets.randbits(40) if new.seed is None else new.seed,
            last_seq=0,
            epoch=secrets.token_hex(4),
            created_at=now,
            gold_rate=new.gold_rate,
            practice=new.practice,
            networks=new.networks,
            second_look=new.second_look,
            audit_share=new.audit_share,
            set_rule=new.set_rule,
            ordering=new.ordering,
            show_pace=new.show_pace,
            show_agreement=new.show_agreement,
            fine_tune=(
                self._gpu and not text and not shapes if new.fine_tune is None else new.fine_tune
            ),
            iou=new.iou,
            shape_agreement=new.shape_agreement,
        )

        def fn(tx: Tx) -> dict[str, Any]:
            tx.add_project(project)
            for idx, label_class in enumerate(classes):
                tx.add_class(project.project_id, idx, label_class)
            tx.emit(
                project.project_id,
                now,
                "project.changed",
                {
                    "user_id": user.user_id,
                    "by": user.name,
                    "name": project.name,
                    "state": project.state,
                    "classes": [c.name for c in classes],
                },
            )
            also(tx, project.project_id)
            return self._public(tx, project.project_id, "admin", user.user_id)

        if shapes:
            await asyncio.to_thread(matching.warm)
        public = await self._store.write(fn)
        self._schemas[project.project_id] = Schema(project.task_type, classes)
        return public

    async def change(self, user: CurrentUser, project_id: str, change: Change) -> dict[str, Any]:
        role = await self.require(user, project_id, "supervisor")
        changes = settings_of(change)

        def fn(tx: Tx) -> tuple[dict[str, Any], bool]:
            project = tx.project(project_id)
            if project is None:
                raise ApiError("not_found", "no such project")
            now = now_ms()
            merged = dict(changes)
            if "votes_min" in changes or "votes_max" in changes:
                merged.setdefault("votes_min", project.votes_min)
                merged.setdefault("votes_max", project.votes_max)
            check_settings(merged, project.task_type)
            if "archived" in (project.state, changes.get("state")):
                self._check_archive(user, project, changes)
            real = {k: v for k, v in changes.items() if getattr(project, k) != v}
            if "instructions" in real and not change.quiet:
                real["instructions_rev"] = project.instructions_rev + 1
            if real:
                tx.change_project(project_id, real)
                who = {"user_id": user.user_id, "by": user.name}
                tx.emit(project_id, now, "project.changed", {**who, **real})
            # New rules decide every item anew; decisions by review stand.
            due = bool(real.keys() & RULES) and remerging.begin(tx, project_id, now)
            return self._public(tx, project_id, role, user.user_id), due

        public, due = await self._store.write(fn)
        (self._archived.add if public["state"] == "archived" else self._archived.discard)(
            project_id
        )
        if due:
            self._remerging.wake(project_id)
        return public

    def _check_archive(self, user: CurrentUser, project: Project, changes: dict[str, Any]) -> None:
        """An admin puts a project away and brings it back; meanwhile nothing else is changed."""
        if project.state == "archived" and (set(changes) != {"state"}):
            raise ApiError("conflict", "this project is archived: bring it back to change it")
        if not user.admin:
            raise ApiError("forbidden", "only an admin archives projects and brings them back")

    async def changes(self, project_id: str, before: int, limit: int) -> dict[str, Any]:
        """What was changed of the project, newest first: `{"changes": [{seq, at, user_id, by,
        change}], "next": seq | None}`; `before`: a `next` (0: from the newest)."""
        limit = max(1, min(limit, 200))

        def fn(tx: Tx) -> dict[str, Any]:
            events = tx.changes(project_id, before or 1 << 62, limit)
            out = list(fitting(shown(tx, events)))
            more = len(out) < len(events) or len(events) == limit
            return {"changes": out, "next": out[-1]["seq"] if more else None}

        def shown(tx: Tx, events: Sequence[Event]) -> Iterator[dict[str, Any]]:
            for event in events:
                body = dict(event.body)
                user_id = str(body.pop("user_id", ""))
                by = body.pop("by", None)
                if by is None:
                    user = tx.user(user_id)
                    by = user.name if user else user_id
                who = {"seq": event.seq, "at": event.at, "user_id": user_id, "by": by}
                yield {**who, "change": body}

        return await self._store.read(fn)

    # -- members

    async def members(self, project_id: str) -> list[dict[str, Any]]:
        return await self._store.read(lambda tx: tx.members(project_id))

    async def set_member(
        self, project_id: str, user_id: str | None, login: str | None, role: str
    ) -> None:
        if role not in ("labeler", "supervisor"):
            raise ApiError("bad_value", "role must be labeler or supervisor")

        def fn(tx: Tx) -> tuple[str, str | None]:
            user: User | None = tx.user(user_id) if user_id else tx.user_by_login(login or "")
            if user is None:
                raise ApiError("not_found", "no such person")
            if tx.project(project_id) is None:
                raise ApiError("not_found", "no such project")
            held = tx.role(project_id, user.user_id)
            join(tx, project_id, user, role, now_ms())
            return user.user_id, held

        found, held = await self._store.write(fn)
        self.forget_roles()
        if held == "supervisor" != role:
            self.less(project_id, found, held)

    async def drop_member(self, project_id: str, user_id: str) -> int:
        """How many invitations end by it, see `accounts.leave`. Raises not_found, conflict."""

        def fn(tx: Tx) -> tuple[str, int]:
            held = tx.membership(project_id, user_id)
            if held is None:
                raise ApiError("not_found", "not a member of this project")
            if tx.roles_by_teams(project_id, user_id):
                raise ApiError(
                    "conflict", "a team of theirs is in this project: take them out of the team,"
                    " or the team out of the project",
                )  # fmt: skip
            return held[0], leave(tx, project_id, user_id, now_ms())

        role, ended = await self._store.write(fn)
        self.forget_roles()
        self.less(project_id, user_id, role)
        return ended


def _is_admin(user: CurrentUser) -> bool:
    return user.admin or (user.grant is not None and user.grant.admin)


def _projects_of(tx: Tx, user: CurrentUser) -> list[tuple[Project, str]]:
    """Projects the person may see, and their role in each, whatever their token."""
    if _is_admin(user):
        return [(p, "admin") for p in tx.projects()]
    return [
        (p, tx.role(p.project_id, user.user_id) or "labeler") for p in tx.projects_of(user.user_id)
    ]


def public_classes(classes: Sequence[LabelClass]) -> list[dict[str, Any]]:
    """As pages and programs see them, in the order of their indexes."""
    return [
        {"name": c.name, "color": c.color, "key": key}
        for c, key in zip(classes, keys_of(classes), strict=True)
    ]


def _hidden(project: Project) -> dict[str, float]:
    """Settings that labelers must not know, or they would not be checked blind."""
    return {"gold_rate": project.gold_rate, "audit_share": project.audit_share}
