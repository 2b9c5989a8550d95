"""A dry run: which items a file of labels means, and what bringing it in would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from chorus.server.domain.classes import check_name
from chorus.server.domain.model import Item, LabelClass, StandingVote, User
from chorus.server.domain.values import SEPARATOR, Schema
from chorus.server.errors import ApiError
from chorus.server.formats.labels.drawn import Drawn
from chorus.server.formats.labels.read import entries
from chorus.server.formats.labels.rows import LabelRow, Problem, Said, meant
from chorus.server.services.label_ops import (
    Nothing,
    Op,
    Options,
    Refused,
    check,
    names_in,
    value_of,
)
from chorus.server.storage.tx import Tx

T = TypeVar("T")
CHUNK = 400
SUFFIXES = 6
"""Folders taken away from the front of a path, one after the other, until an item is called so."""
FAULTS = 1000
"""Lines that cannot be used, told one by one."""
NAMED = 200
"""Unknown classes and people, told one by one."""
_LENGTH = 4


class Summary(msgspec.Struct, kw_only=True):
    """What the dry run has found."""

    entries: int = 0
    """Lines, tasks, images."""
    matched: int = 0
    """… that mean an item of the project."""
    unmatched: int = 0
    faulty: int = 0
    empty: int = 0
    """… that mean one, and say nothing that could be brought in."""
    ready: int = 0
    """Labels, votes or prelabels that would go in now."""
    same: int = 0
    """… that are there already."""
    classes: int = 0
    """… that need a class that is not there."""
    people: int = 0
    """… of somebody who is not in the project."""
    conflicts: dict[str, int] = {}
    """Reason -> how many would be left as they are."""
    unknown_classes: dict[str, int] = {}
    unknown_people: dict[str, int] = {}
    """Login, or what the file says -> votes."""

    @property
    def left_out(self) -> int:
        """Lines of which nothing would go in, for another reason than that it is there."""
        return self.unmatched + self.faulty


class Planner:
    """One dry run, in one read transaction. `fault` is told every line that cannot be used."""

    def __init__(
        self, tx: Tx, project_id: str, options: Options, fault: Callable[[str, str, str], None]
    ) -> None:
        project = tx.project(project_id)
        assert project is not None
        self._tx = tx
        self._project_id = project_id
        self._schema = tx.schema(project)
        self._classes = self._schema.known
        self._options = options
        self._scored = options.kind == "prelabels"
        self._fault = fault
        self._users: dict[str, User | None] = {}
        self._seen: dict[Any, tuple[str, Said | None, str]] = {}
        self._unknown_classes: Counter[str] = Counter()
        self._unknown_people: Counter[str] = Counter()
        self._conflicts: Counter[str] = Counter()
        self.summary = Summary()

    def ops(self, read: Iterable[LabelRow | Problem]) -> Iterator[Op]:
        """What there is to do, item by item; after the last one `summary` is complete."""
        late: list[LabelRow] = []
        for some in _chunks(self._rows(read), CHUNK):
            found = self._find(some)
            late += [row for row, items in found if not items]
            yield from self._do([pair for pair in found if pair[1]])
        if late:
            by_end = self._find_by_end(late)
            by_stem = self._find_by_stem(late)
            found_late = ((row, _of_end(row, by_end) or _of_stem(row, by_stem)) for row in late)
            for pairs in _chunks(found_late, CHUNK):
                yield from self._do(pairs)
        summary = self.summary
        summary.conflicts = dict(self._conflicts.most_common())
        summary.unknown_classes = dict(self._unknown_classes.most_common(NAMED))
        summary.unknown_people = dict(self._unknown_people.most_common(NAMED))

    def _rows(self, read: Iterable[LabelRow | Problem]) -> Iterator[LabelRow]:
        for entry in read:
            self.summary.entries += 1
            if isinstance(entry, Problem):
                self._bad(entry.place, entry.name, entry.reason)
            else:
                yield entry

    def _bad(self, place: str, name: str, reason: str) -> None:
        self.summary.faulty += 1
        self._fault(place, name, reason)

    # -- which item

    def _find(self, rows: list[LabelRow]) -> list[tuple[LabelRow, list[int]]]:
        """The items that each row may mean; none: not found like that."""
        hashes = {h for row in rows for h in row.hashes}
        by_hash = {
            item.content_hash: item.item_id
            for item in self._tx.items_by_content(self._project_id, list(hashes))
        }
        ends = {row.place: _ends(row) for row in rows}
        names = {name for some in ends.values() for name in some}
        by_name: dict[str, list[int]] = {}
        for part in _chunks(names, 5000):
            for item in self._tx.items_by_name(self._project_id, part):
                by_name.setdefault(item.name, []).append(item.item_id)
        out: list[tuple[LabelRow, list[int]]] = []
        for row in rows:
            found = [by_hash[h] for h in row.hashes if h in by_hash][:1]
            if not found and not row.stem and len(row.hashes) != 1:
                # One hash is the content's own: another content of that name is another item.
                found = next((by_name[n] for n in ends[row.place] if n in by_name), [])
            out.append((row, found))
        return out

    def _find_by_end(self, rows: list[LabelRow]) -> dict[str, list[int]]:
        """Last part of a name -> items whose names, longer than the file's, end so."""
        found: dict[str, list[int]] = {
            _last(name): []
            for row in rows
            if len(row.hashes) != 1 and not row.stem
            for name in row.names
        }
        after = 0
        while found and (some := self._tx.names_after(self._project_id, after, 20_000)):
            after = some[-1][0]
            for item_id, name in some:
                last = _last(name)
                if last in found:
                    found[last].append(item_id)
        return found

    def _find_by_stem(self, rows: list[LabelRow]) -> dict[str, list[tuple[str, int]]]:
        """Last part of a name without its ending -> (whole name without it, item) of all items that
        are called so; for rows whose names lack it."""
        found: dict[str, list[tuple[str, int]]] = {
            _last(name): [] for row in rows if row.stem for name in row.names
        }
        after = 0
        while found and (some := self._tx.names_after(self._project_id, after, 20_000)):
            after = some[-1][0]
            for item_id, name in some:
                stem = _stem(name)
                if (last := _last(stem)) in found:
                    found[last].append((stem, item_id))
        return found

    # -- what to do with it

    def _do(self, pairs: list[tuple[LabelRow, list[int]]]) -> Iterator[Op]:
        ids = sorted({ids[0] for _, ids in pairs if len(ids) == 1})
        items = {item.item_id: item for item in self._tx.items_by_id(ids)} if ids else {}
        votes: dict[int, list[StandingVote]] = {}
        if ids and self._options.kind != "labels":
            for item_id in ids:
                votes[item_id] = self._tx.standing(item_id)
        for row, found in pairs:
            name = row.names[0] if row.names else ""
            if not found:
                self.summary.unmatched += 1
                self._fault(row.place, name, "no item of this project is meant")
            elif len(found) > 1:
                self._bad(row.place, name, f"{len(found)} items are called so")
            else:
                self.summary.matched += 1
                item = items[found[0]]
                yield from self._item(row, name, item, votes.get(item.item_id, []))

    def _item(
        self, row: LabelRow, name: str, item: Item, votes: list[StandingVote]
    ) -> Iterator[Op]:
        ops, why = self._wanted(row, item.item_id)
        if why is not None:
            self._bad(row.place, name, why)
        elif not ops:
            self.summary.empty += 1
        for op in ops:
            try:
                if self._fits(op, item, votes):
                    yield op
            except Refused as refused:
                self._bad(row.place, name, str(refused))

    def _wanted(self, row: LabelRow, item_id: int) -> tuple[list[Op], str | None]:
        """(what the row asks for, or why it cannot be understood)."""
        kind, options = self._options.kind, self._options
        place = row.place
        if kind == "votes":
            if not row.votes and row.label is not None and options.person:
                return [Op(item_id=item_id, place=place, value=row.label,
                           labeler=options.person)], None  # fmt: skip
            if not row.votes and (row.label is not None or row.unclear):
                return [], "it does not say who gave the label; name a person whose votes these are"
            ops = []
            for vote in row.votes:
                who = options.person or options.people.get(vote.labeler, vote.labeler)
                if not who:
                    return [], "it does not say who gave the answer; name a person"
                ops.append(
                    Op(item_id=item_id, place=place, value=vote.value, kind=vote.kind, labeler=who,
                       vote_id=vote.vote_id, created_at=vote.created_at,
                       duration_ms=vote.duration_ms, prelabel=vote.prelabel)
                )  # fmt: skip
            return ops, None
        if row.label is not None:
            return [Op(item_id=item_id, place=place, value=row.label, score=row.score)], None
        if kind == "prelabels" and row.prediction is not None:
            return [Op(item_id=item_id, place=place, value=row.prediction,
                       score=row.prediction_score)], None  # fmt: skip
        if row.unclear:
            return [], row.unclear
        if kind == "labels":
            return self._agreed(row, item_id)
        return [], None

    def _agreed(self, row: LabelRow, item_id: int) -> tuple[list[Op], str | None]:
        """Only votes: the label that all of them give."""
        given = [v.value for v in row.votes if v.value is not None]
        if any(meant(value) != meant(given[0]) for value in given):
            return [], "its answers disagree; bring them in as votes"
        return [Op(item_id=item_id, place=row.place, value=value) for value in given[:1]], None

    def _fits(self, op: Op, item: Item, votes: list[StandingVote]) -> bool:
        """Is it still to be done? Raises `Refused` for what the line itself has wrong."""
        op.value, op.prelabel = _trimmed(op.value), _trimmed(op.prelabel)
        if op.value is not None and not isinstance(op.value, Drawn):
            op.value = names_in(op.value)
        names = [n for said in (op.value, op.prelabel) if said is not None for n in names_in(said)]
        missing = [name for name in dict.fromkeys(names) if name not in self._classes]
        for name in missing:
            self._could_be(name)
        # Whether it fits does not depend on which class: those still to be made count, too.
        known, schema = self._classes | dict.fromkeys(missing, "0"), self._all(missing)
        value = None
        if op.value is not None:
            value = value_of(op.value, known, schema, item, scored=self._scored)
        if op.prelabel is not None:
            value_of(op.prelabel, known, schema, item, scored=True)
        key = (item.item_id, op.labeler)
        seen = self._seen.get(key)
        if seen is not None:
            if seen[:2] == (op.kind, op.value):
                self.summary.same += 1
                return False
            raise Refused(f"{seen[2]} says something else of the same item")
        self._seen[key] = (op.kind, op.value, op.place)
        user_id = None
        if self._options.kind == "votes":
            user = self._user(op.labeler)
            if user is None:
                self._unknown_people[op.labeler] += 1
                self.summary.people += 1
                self._unknown_classes.update(missing)
                return True
            user_id = user.user_id
        try:
            check(item, votes, op, None if missing else value, user_id, self._options)
        except Nothing:
            self.summary.same += 1
            return False
        except Refused as refused:
            self._conflicts[str(refused)] += 1
            return False
        if missing:
            self._unknown_classes.update(missing)
            self.summary.classes += 1
        else:
            self.summary.ready += 1
        return True

    def _could_be(self, name: str) -> None:
        """May a class be called so? Raises `Refused`."""
        try:
            check_name(name, SEPARATOR if self._schema.multilabel else None)
        except ApiError as error:
            raise Refused(error.message) from None

    def _all(self, missing: Sequence[str]) -> Schema:
        """The project's schema with these classes, too."""
        if not missing:
            return self._schema
        more = [LabelClass(name, "") for name in missing]
        return msgspec.structs.replace(self._schema, classes=[*self._schema.classes, *more])

    def _user(self, login: str) -> User | None:
        """The member with this login."""
        if login not in self._users:
            user = self._tx.user_by_login(login)
            if user is not None and self._tx.role(self._project_id, user.user_id) is None:
                user = None
            self._users[login] = user
        return self._users[login]


def _trimmed(value: Said | None) -> Said | None:
    """Without blanks around the names of classes, as these are made."""
    if isinstance(value, Drawn):
        shapes = [msgspec.structs.replace(one, name=one.name.strip()) for one in value.shapes]
        return msgspec.structs.replace(value, shapes=shapes)
    return None if value is None else [name.strip() for name in value]


def plan(
    tx: Tx, project_id: str, options: Options, read: Path, out: Path,
    fault: Callable[[str, str, str], None], on_entry: Callable[[], None],
) -> Summary:  # fmt: skip
    """The dry run of what `read_labels` wrote to `read`; what there is to do goes to `out`."""
    planner = Planner(tx, project_id, options, fault)
    encode = msgspec.msgpack.Encoder().encode

    def followed() -> Iterator[Any]:
        for entry in entries(read):
            on_entry()
            yield entry

    with out.open("wb", buffering=1 << 20) as written:
        for op in planner.ops(followed()):
            data = encode(op)
            written.write(len(data).to_bytes(_LENGTH, "big") + data)
    return planner.summary


def ops_from(path: Path, skip: int) -> Iterator[Op]:
    """What `plan` wrote, without the first `skip`."""
    decode = msgspec.msgpack.Decoder(Op).decode
    with path.open("rb", buffering=1 << 20) as file:
        while head := file.read(_LENGTH):
            data = file.read(int.from_bytes(head, "big"))
            if skip:
                skip -= 1
                continue
            yield decode(data)


def _ends(row: LabelRow) -> list[str]:
    """What the item may be called: the row's names, and each without its first folders."""
    out: list[str] = []
    for name in row.names:
        out.append(name)
        for _ in range(SUFFIXES):
            _, slash, name = name.partition("/")
            if not slash:
                break
            out.append(name)
        out.append(_last(name))
    return list(dict.fromkeys(n for n in out if n))


def _of_end(row: LabelRow, by_end: dict[str, list[int]]) -> list[int]:
    if len(row.hashes) == 1:
        return []
    return next((found for name in row.names if (found := by_end.get(_last(name)))), [])


def _of_stem(row: LabelRow, by_stem: dict[str, list[tuple[str, int]]]) -> list[int]:
    """Items that are called so but for the ending, by as much of the path as can be."""
    if not row.stem or len(row.hashes) == 1:
        return []
    for name in row.names:
        called = by_stem.get(_last(name), [])
        for end in _ends(LabelRow(place="", names=[name])):
            if found := [item_id for stem, item_id in called if stem == end]:
                return found
        if called:
            return [item_id for _, item_id in called]
    return []


def _stem(name: str) -> str:
    head, dot, ending = name.rpartition(".")
    return head if dot and "/" not in ending else name


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _chunks(some: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(some)
    while chunk := list(islice(iterator, size)):
        yield chunk
