"""`make protocol`: the examples at the end of docs/protocol.md, recorded from a running server.

A supervisor and a labeler hold one conversation over raw websockets in which every command, every
pushed frame and every event comes up; the first of each kind is written down. Arrays are cut to
two entries, so that a frame stays readable.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import websockets
from PIL import Image

from chorus.client import Rest
from chorus.client.process import ServerProcess
from chorus.client.upload import follow
from chorus.simulate.setup import add_person, import_pictures

DOC = Path(__file__).resolve().parent.parent / "docs" / "protocol.md"
PRIORITY = "b0d0a8f6-3c0c-4f0e-9a77-52f6f1c0a913"
BULK, UNDO = "1f0e5c7e-9b57-4d1c-8f1e-0a6f2f0c9d11", "6b1f8f0a-2f5e-4c43-a3f5-9a1d3f5b7c22"
BEGIN, END = "<!-- examples: made by `make protocol` -->\n", "<!-- end of examples -->\n"
CLASSES = ["green", "red"]
PATIENCE = 120.0
WIDTH = 110
Frame = dict[str, Any]


class Tape:
    """The first frame of each kind, in the order they came up."""

    def __init__(self) -> None:
        self.commands: dict[str, tuple[Frame, Frame]] = {}
        self.pushes: dict[str, Frame] = {}
        self.events: dict[str, Frame] = {}
        self.refusal: tuple[Frame, Frame] | None = None
        self.rest: dict[str, tuple[Frame, Frame]] = {}
        """Name -> (body, answer)."""

    def pushed(self, frame: Frame) -> None:
        kept = self.events if "seq" in frame else self.pushes
        kept.setdefault(frame["type"], frame)


class Talk:
    """One socket, spoken to frame by frame."""

    def __init__(self, ws: websockets.ClientConnection, project_id: str, tape: Tape) -> None:
        self._ws = ws
        self._project_id = project_id
        self._tape = tape
        self._id = 0
        self.seen: list[Frame] = []

    async def _receive(self) -> Frame:
        frame: Frame = json.loads(await asyncio.wait_for(self._ws.recv(), PATIENCE))
        if "re" not in frame:
            self._tape.pushed(frame)
            self.seen.append(frame)
        return frame

    async def ask(self, type: str, **body: Any) -> Frame:
        """Send a command and read on until its answer."""
        self._id += 1
        if type not in ("ping", "subscribe", "unsubscribe"):
            body = {"project_id": self._project_id, **body}
        sent = {"id": self._id, "type": type, "body": body}
        await self._ws.send(json.dumps(sent))
        while (frame := await self._receive()).get("re") != self._id:
            pass
        if frame["ok"]:
            self._tape.commands.setdefault(type, (sent, frame))
        elif self._tape.refusal is None:
            self._tape.refusal = (sent, frame)
        return frame

    async def until(self, what: Callable[[Frame], bool]) -> Frame:
        """Read on until a pushed frame of this kind has come (or came before)."""
        for frame in self.seen:
            if what(frame):
                return frame
        while not what(frame := await self._receive()):
            pass
        return frame

    async def page(self) -> Frame:
        """The next page nobody has answered yet."""
        frame = await self.until(lambda f: f["type"] == "page")
        self.seen.remove(frame)
        body: Frame = frame["body"]
        return body

    async def vote(self, item: Frame, **changes: Any) -> str:
        """Cast a vote with the colour in the picture's name; its id."""
        body = {**vote_of(item, "b" if "supersedes" in changes else "a"), **changes}
        await self.ask("vote.cast", **body)
        return str(body["vote_id"])


def vote_of(item: Frame, time: str = "a") -> dict[str, Any]:
    return {
        "vote_id": f"vote-{item['item_id']:04}-{time}",
        "item_id": item["item_id"],
        "lease_id": item["lease_id"],
        "kind": "label",
        "value": {"class": item["name"].partition("-")[0]},
        "duration_ms": 1840,
    }


def typed(type: str) -> Callable[[Frame], bool]:
    return lambda frame: bool(frame["type"] == type)


def draw(folder: Path, count: int, start: int = 0) -> Path:
    """Pictures whose class shows in the name; no two alike."""
    folder.mkdir()
    for i in range(start, start + count):
        colour = (250 - i, i, 0) if i % 2 else (0, 250 - i, i)
        Image.new("RGB", (16, 16), colour).save(folder / f"{CLASSES[i % 2]}-{i:03}.png")
    return folder


def gold_of(folder: Path) -> Path:
    """A table of the pictures in a folder that marks their labels as gold."""
    table = folder / "gold.csv"
    names = sorted(path.name for path in folder.glob("*.png"))
    rows = [f"{name},{name.partition('-')[0]},yes" for name in names]
    table.write_text("\n".join(["path,label,gold", *rows]) + "\n", encoding="utf-8")
    return table


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[ServerProcess, Rest]]:
    """A server with an admin, Ada; it is stopped at the end."""
    process = ServerProcess(folder)
    token = process.add_user("ada", "Ada", admin=True)
    await process.start()
    try:
        async with Rest(process.url, token) as admin:
            yield process, admin
    finally:
        await process.stop()


@asynccontextmanager
async def talking(
    server: ServerProcess, bearer: str | None, project_id: str, tape: Tape
) -> AsyncIterator[Talk]:
    url = server.url.replace("http", "ws", 1) + "/ws"
    headers = {"Authorization": f"Bearer {bearer}"}
    # With a full queue a socket is not read on, and then answers no pings either.
    async with websockets.connect(
        url, additional_headers=headers, max_size=None, max_queue=None
    ) as ws:
        yield Talk(ws, project_id, tape)


async def record(folder: Path) -> Tape:
    tape = Tape()
    async with served(folder / "data") as (server, admin):
        # One vote of an unknown person just suffices, so that an estimate can open items again.
        project = await admin.create_project(
            "Colours", CLASSES, votes_min=1, votes_max=2, page_size=1, seed=1, target=0.878,
            gold_rate=0,
        )  # fmt: skip
        project_id = project.project_id
        async with talking(server, admin.token, project_id, tape) as boss:
            await boss.until(typed("welcome"))
            await boss.ask("ping")
            await boss.ask("subscribe", topic=f"project/{project_id}/events", since=0)
            guest, _ = await add_person(admin, project_id, "guest", "Guest", "labeler")
            ben, token = await add_person(admin, project_id, "ben", "Ben", "labeler")
            await admin.change_user(guest.user_id, name="Our guest")
            await admin.request("DELETE", f"/api/projects/{project_id}/members/{guest.user_id}")
            await import_pictures(admin, project_id, draw(folder / "in", 60), upload=True)
            table = await asyncio.to_thread(gold_of, draw(folder / "gold", 12, start=60))
            await follow(admin, project_id, await admin.import_csv(project_id, table))
            async with talking(server, token, project_id, tape) as labeler:
                await label(labeler, boss)
                async with talking(server, admin.token, project_id, tape) as second:
                    await review(boss, second, labeler)
                await people(boss, labeler, ben.user_id)
                await admin.change_project(project_id, gold_rate=0.5, instructions="Look twice.")
                async with Rest(server.url, token) as reader:
                    route = f"/api/projects/{project_id}/instructions/confirm"
                    await reader.request("POST", route, json={"revision": 1})
                await supervise(boss, labeler)
                more = draw(folder / "more", 4, start=80)
                await import_pictures(admin, project_id, more, upload=True)
                await step_in(boss, labeler, ben.user_id)
            await watch(boss, project_id)
            await give(admin, project_id, ben.user_id, tape)
            await boss.until(typed("feed"))
            await boss.until(typed("round.finished"))
            stop = asyncio.ensure_future(server.stop())
            await boss.until(typed("bye"))
            await stop
    return tape


async def watch(boss: Talk, project_id: str) -> None:
    """What a dashboard subscribes to, and any past moment."""
    await boss.ask("subscribe", topic=f"project/{project_id}/stats")
    await boss.until(typed("stats"))
    await boss.ask("unsubscribe", sub=boss._id)
    await boss.ask("subscribe", topic=f"project/{project_id}/card")
    await boss.until(typed("card"))
    await boss.ask("subscribe", topic="server")
    await boss.until(typed("server"))
    await boss.ask("subscribe", topic=f"project/{project_id}/feed")
    await boss.ask("dashboard.moment", seq=40)
    await boss.ask("dashboard.curve")
    await boss.ask("subscribe", topic=f"project/{project_id}/events", since=3, epoch="another")
    await boss.until(typed("snapshot"))


async def give(admin: Rest, project_id: str, user_id: str, tape: Tape) -> None:
    """Items for one person, over REST; the feed tells it."""
    body = {"people": [user_id], "share": 0.5, "later": True}
    path = f"/api/projects/{project_id}/assignments"
    answer = await admin.request("POST", path, json=body)
    tape.rest["assignments"] = body, answer.json()


async def record_sets(folder: Path) -> Tape:
    """The same few frames where a label is a set of classes."""
    tape = Tape()
    async with served(folder / "data-sets") as (server, admin):
        project = await admin.create_project(
            "Colours", CLASSES, task_type="multilabel", cluster=False, prelabel=False, seed=1
        )
        project_id = project.project_id
        await import_pictures(admin, project_id, draw(folder / "sets", 2), upload=True)
        async with talking(server, admin.token, project_id, tape) as talk:
            await talk.until(typed("welcome"))
            await talk.ask("subscribe", topic=f"project/{project_id}/events")
            await talk.ask("labeling.open", tab="tab-1", credit=1)
            items = (await talk.page())["items"]
            await talk.vote(items[0], value={"classes": ["red", "green"]})
            await talk.vote(items[1], value={"classes": []})
            await talk.until(typed("label.decided"))
            await talk.ask("labeling.history", limit=2)
            await talk.ask("review.list", state="labeled", **{"class": "red"})
            await talk.ask("quality.get")
            await bring_votes(admin, project_id, items[0]["name"])
            await talk.until(typed("labels.imported"))
    return tape


async def record_practice(folder: Path) -> Tape:
    """One practice page, and the person told to practise again."""
    tape = Tape()
    async with served(folder / "data-practice") as (server, admin):
        project = await admin.create_project(
            "Colours", CLASSES, cluster=False, prelabel=False, seed=1, practice=1
        )
        project_id = project.project_id
        table = await asyncio.to_thread(gold_of, draw(folder / "known", 2))
        await follow(admin, project_id, await admin.import_csv(project_id, table))
        ben, token = await add_person(admin, project_id, "ben", "Ben", "labeler")
        async with (
            talking(server, admin.token, project_id, tape) as boss,
            talking(server, token, project_id, tape) as labeler,
        ):
            await boss.ask("subscribe", topic=f"project/{project_id}/events")
            await labeler.ask("labeling.open", tab="tab-1", credit=1)
            page = await labeler.page()
            await admin.note_gold(project_id, page["items"][0]["item_id"], "See its middle.")
            await labeler.vote(page["items"][0])
            await labeler.ask("labeling.credit", n=1)
            await labeler.until(typed("empty"))
            await admin.practise_again(project_id, ben.user_id)
            await boss.until(typed("practice.ordered"))
    return tape


async def bring_votes(admin: Rest, project_id: str, item: str) -> None:
    """A vote that somebody gave elsewhere."""
    content = f"item,labeler,label,created_at\n{item},ben,red,1700000000000\n".encode()
    begun = await admin.begin_label_import(project_id, "votes.csv", content, "votes")
    while begun.state == "checking":
        await asyncio.sleep(0.05)
        begun = await admin.label_import(project_id, begun.import_id)
    await admin.apply_label_import(project_id, begun.import_id, add_people=True)


async def label(labeler: Talk, boss: Talk) -> None:
    """Enough pages for a first round; a correction, a refusal, another page size."""
    await labeler.ask("labeling.open", tab="tab-1", credit=1)
    first = await labeler.page()
    await boss.ask("project.pause")
    await labeler.until(lambda f: f["type"] == "project" and f["body"]["state"] == "paused")
    await boss.ask("project.resume")
    vote_id = await labeler.vote(first["items"][0])
    await labeler.until(typed("me"))
    await labeler.vote(first["items"][0], lease_id=None, supersedes=vote_id)
    await labeler.vote(first["items"][0], vote_id="vote-of-an-item-answered-before")
    for _ in range(4):
        await labeler.ask("labeling.credit", n=1)
        await labeler.vote((await labeler.page())["items"][0])
    await labeler.ask("labeling.credit", n=1)
    await labeler.page()
    await labeler.ask("labeling.size", page_size=4)
    await labeler.until(typed("page.closed"))
    for _ in range(6):
        votes = [vote_of(item) for item in (await labeler.page())["items"]]
        if votes:
            await labeler.ask("votes.cast", votes=votes)
        await labeler.ask("labeling.credit", n=1)
    await labeler.ask("labeling.history", limit=2)
    # One more page stays in hand: an item of it is decided by the supervisor meanwhile.
    held = await labeler.page()
    await labeler.vote(held["items"][1], kind="flag", value=None)
    project = f"project/{labeler._project_id}"
    await labeler.ask("subscribe", topic=f"{project}/comments")
    about = held["items"][1]["item_id"]
    await labeler.ask(
        "comment.add",
        comment_id="comment-of-the-labeler-0001", item_id=about, text="Green, or turquoise?",
    )  # fmt: skip
    threads = (await boss.ask("comment.threads"))["body"]["threads"]
    await boss.ask(
        "comment.add", comment_id="comment-of-the-supervisor-1", item_id=about,
        text="Green: see the instructions.", to=threads[0]["labeler_id"],
    )  # fmt: skip
    await labeler.until(typed("comment"))
    found = await labeler.ask("comment.list", item_id=about)
    await labeler.ask("comment.read", item_id=about, seq=found["body"]["comments"][-1]["seq"])
    await boss.ask(
        "review.decide",
        item_id=held["items"][0]["item_id"], action="change", value={"class": "green"},
    )  # fmt: skip
    await labeler.until(typed("item.closed"))


async def review(boss: Talk, second: Talk, labeler: Talk) -> None:
    """Two reviewers in one room; a decision, its undo, many at once; a note for the labelers."""
    await second.until(typed("welcome"))
    await second.ask("review.open")
    await boss.ask("review.open")
    found = await boss.ask("review.list", state="labeled", limit=5)
    ids = [item["item_id"] for item in found["body"]["items"] if item["decided"] is None]
    await boss.ask("review.claim", item_ids=ids)
    await second.until(typed("claims"))
    done = await boss.ask("review.decide", item_id=ids[0], action="approve", seen=0)
    await boss.ask("review.decide", item_id=ids[0], action="undo", seen=done["body"]["seq"])
    many = [{"item_id": ids[0], "seen": 0}, {"item_id": ids[1], "seen": 0}]
    await boss.ask("review.decide_many", items=many, action="approve")
    bulk = await boss.ask(
        "review.decide_all",
        bulk_id=BULK, action="approve", state="labeled", text="1", as_of=done["body"]["seq"],
    )  # fmt: skip
    await boss.until(lambda f: f["type"] == "bulk" and f["body"]["state"] == "done")
    await boss.ask("review.cancel_all", bulk_id=bulk["body"]["bulk_id"])
    await boss.ask("review.decide_all", bulk_id=UNDO, undoes=BULK)
    await boss.until(lambda f: f["type"] == "bulk" and f["body"]["action"] == "undo")
    await boss.ask("note.add", text="A shadow is no colour.", item_id=ids[0])
    await labeler.until(typed("note"))
    await labeler.ask("note.list")


async def people(boss: Talk, labeler: Talk, user_id: str) -> None:
    """One person's work: how good it is, a message, a pause, votes taken back and restored."""
    await boss.ask("quality.get")
    await boss.ask("note.add", text="Look twice at the dark ones.", to=user_id)
    await labeler.until(lambda f: f["type"] == "note" and f["body"]["to"] is not None)
    found = await boss.ask("review.list", state="labeled", limit=2, order="item")
    ids = [item["item_id"] for item in found["body"]["items"]]
    await boss.ask("gold.mark", item_ids=[*ids, 1_000_000], gold=True)
    await boss.ask("person.pause", user_id=user_id, paused=True)
    await boss.ask("person.pause", user_id=user_id, paused=False)
    taken = await boss.ask("votes.take_back", user_id=user_id)
    await boss.ask("votes.takebacks")
    await boss.ask("votes.restore", takeback_id=taken["body"]["takeback_id"])


async def supervise(boss: Talk, labeler: Talk) -> None:
    """Review, a requeued item, the round, one that is cancelled and had again; then the labeler
    works until nothing is left."""
    found = await boss.ask("review.list", state="labeled", limit=1, order="item")
    await boss.ask("review.decide", item_id=found["body"]["items"][0]["item_id"], action="requeue")
    await boss.until(typed("label.withdrawn"))
    await boss.until(typed("round.finished"))
    for _ in range(int(5 * PATIENCE)):
        begun = (await boss.ask("project.train"))["ok"]
        if begun and (await boss.ask("round.cancel"))["ok"]:
            break
        await asyncio.sleep(0.2)  # it is on its way out, or the next one has begun by itself
    ended = await boss.until(typed("round.cancelled"))
    await boss.ask("round.retry", number=ended["body"]["round"]["number"])
    await labeler.ask("labeling.close")
    labeler.seen.clear()  # before: the page may overtake the answer
    await labeler.ask("labeling.open", tab="tab-1", credit=1, page_size=9)
    while True:
        frame = await labeler.until(lambda f: f["type"] in ("page", "empty"))
        labeler.seen.remove(frame)
        if frame["type"] == "empty":
            return
        for item in frame["body"]["items"]:
            if item["vote"] is None:
                await labeler.vote(item)
        await labeler.ask("labeling.credit", n=1)


async def step_in(boss: Talk, labeler: Talk, user_id: str) -> None:
    """What one person sees; some items come first; the page is taken back."""
    await labeler.page()
    await boss.ask("person.pages", user_id=user_id)
    await boss.ask("priority.set", bulk_id=PRIORITY, text="green-08")
    await boss.until(lambda f: f["type"] == "bulk" and f["body"]["action"] == "raise")
    await boss.ask("person.take_page", user_id=user_id)


def short(value: Any) -> Any:
    """The value with arrays cut to two entries."""
    if isinstance(value, dict):
        return {key: short(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [short(inner) for inner in value[:2]]
    return value


def shown(frame: Frame) -> str:
    """One line if it fits, else one field a line, and so on inwards."""

    def lay(value: Any, indent: int, room: int) -> str:
        line = json.dumps(value, ensure_ascii=False)
        if len(line) + indent <= room or not isinstance(value, (dict, list)) or not value:
            return line
        pad = " " * (indent + 2)
        if isinstance(value, dict):
            parts = [f"{pad}{json.dumps(k)}: {lay(v, indent + 2, room)}" for k, v in value.items()]
            return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
        inner = [pad + lay(v, indent + 2, room) for v in value]
        return "[\n" + ",\n".join(inner) + "\n" + " " * indent + "]"

    return lay(short(frame), 0, WIDTH)


def chapter(tape: Tape) -> str:
    parts: list[str] = ["\n### Commands and their answers\n"]
    for name, (sent, answer) in sorted(tape.commands.items()):
        parts.append(f"`{name}`\n```json\n{shown(sent)}\n{shown(answer)}\n```\n")
    assert tape.refusal is not None
    sent, answer = tape.refusal
    parts.append(f"A refusal\n```json\n{shown(sent)}\n{shown(answer)}\n```\n")
    parts.append("### Pushed frames\n")
    for name, frame in sorted(tape.pushes.items()):
        parts.append(f"`{name}`\n```json\n{shown(frame)}\n```\n")
    parts.append("### Events\n")
    for name, frame in sorted(tape.events.items()):
        parts.append(f"`{name}`\n```json\n{shown(frame)}\n```\n")
    parts.append("### Items for some people\n\n`POST /api/projects/{id}/assignments`\n")
    for name, (sent, answer) in sorted(tape.rest.items()):
        parts.append(f"`{name}`\n```json\n{shown(sent)}\n{shown(answer)}\n```\n")
    return "\n".join(parts) + "\n"


def sets_chapter(tape: Tape) -> str:
    """What looks different in a project of label sets."""
    parts = ["### Label sets\n"]
    for name in ("vote.cast", "labeling.history", "review.list", "quality.get"):
        sent, answer = tape.commands[name]
        parts.append(f"`{name}`\n```json\n{shown(sent)}\n{shown(answer)}\n```\n")
    # The last two: the only project there into which votes are brought.
    for name in ("vote.cast", "label.decided", "labels.imported", "vote.imported"):
        parts.append(f"`{name}`\n```json\n{shown(tape.events[name])}\n```\n")
    return "\n".join(parts) + "\n"


def practice_chapter(tape: Tape) -> str:
    """A page of practice, an answer on it, and what supervisors see of it."""
    parts = ["### Practice\n", f"`page`\n```json\n{shown(tape.pushes['page'])}\n```\n"]
    sent, answer = tape.commands["vote.cast"]
    parts.append(f"`vote.cast`\n```json\n{shown(sent)}\n{shown(answer)}\n```\n")
    for name in ("practice.answered", "practice.ordered"):
        parts.append(f"`{name}`\n```json\n{shown(tape.events[name])}\n```\n")
    return "\n".join(parts) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="chorus-protocol-") as folder:
        tape = asyncio.run(record(Path(folder)))
        sets = asyncio.run(record_sets(Path(folder)))
        practice = asyncio.run(record_practice(Path(folder)))
    text = DOC.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    new = BEGIN + chapter(tape) + sets_chapter(sets) + practice_chapter(practice) + END
    text = pattern.sub(lambda _: new, text) if BEGIN in text else f"{text}\n## Examples\n\n{new}"
    DOC.write_text(text, encoding="utf-8")
    counts = len(tape.commands), len(tape.pushes), len(tape.events)
    print("{} commands, {} pushed frames, {} events".format(*counts))


if __name__ == "__main__":
    main()
