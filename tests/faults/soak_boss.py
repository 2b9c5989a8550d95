"""A supervisor of the soak: decides, takes back, changes the rules and the classes, brings in and
gives out, on a project that people work on while everything goes wrong."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from chorus.client import ApiError, Rest, Socket
from chorus.client.doors import look_through
from chorus.client.errors import ChorusError
from chorus.client.ids import new_id
from chorus.client.messages import Answer
from chorus.simulate.setup import import_pictures
from tests.servers import pictures

CLASSES = ("green", "red")
IMPORTS_MOST = 5
MAY_BE = {"conflict", "not_found"}
"""Refusals that have a good reason: it is settled meanwhile, or has gone."""
T = TypeVar("T")


def answer_of(task_type: str, label: str) -> Answer:
    """An answer that says so much: a class, the set of it, or a box of it."""
    if task_type == "multilabel":
        return [label]
    if task_type == "boxes":
        return {"boxes": [{"class": label, "box": [2.0, 2.0, 9.0, 9.0]}]}
    return label


class Boss:
    """At work on one project until cancelled."""

    def __init__(
        self, http: Rest, socket: Socket, project_id: str, task_type: str, people: Sequence[str],
        deeds: dict[Deed, int], folder: Path, rng: random.Random,
    ) -> None:  # fmt: skip
        """deeds: how often each comes."""
        self.http, self.socket = http, socket
        self.project_id, self.task_type = project_id, task_type
        self.people = list(people)
        self.deeds = deeds
        self.folder = folder
        self.rng = rng
        self.tried: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        """What should never be answered."""
        self._imports = 0
        self._names = 0
        self._one = f"/api/projects/{project_id}"

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(0.05, 0.3))
            (deed,) = self.rng.choices(list(self.deeds), list(self.deeds.values()))
            self.tried[deed.__name__] += 1
            try:
                await deed(self)
                self.done[deed.__name__] += 1
            except ApiError as error:
                if not error.retry and error.code not in MAY_BE:
                    self.wrong.append(f"{deed.__name__}: {error.code} {error}")
            except (ChorusError, httpx.HTTPError):
                continue  # the server is away

    async def let_all_end(self) -> None:
        """Whatever keeps items from people is over: so that everything can come to its end."""
        await self.http.change_project(self.project_id, state="running", practice=0)
        for user_id in self.people:
            await self.http.set_member(self.project_id, user_id, "labeler")
            await self._send("POST", f"people/{user_id}/pause", {"paused": False})
        for assignment in await self.http.assignments(self.project_id):
            if assignment.state != "ending":
                await self.http.end_assignment(self.project_id, assignment.number)

    # -- deeds

    async def decide(self) -> None:
        state = self.rng.choice(["needs_review", "needs_review", "labeled", "skipped"])
        asked = {"project_id": self.project_id, "state": state, "limit": 3}
        reply = await self.socket.request("review.list", asked)
        for item in msgspec.json.decode(reply)["items"]:
            action = self.rng.choice(["change", "change", "requeue", "remove", "undo"])
            answer = self._answer() if action == "change" else None
            await self.http.review(self.project_id, item["item_id"], action, answer)

    async def decide_all(self) -> None:
        """One decision for all of a filter; or all of it is taken back at once."""
        body = {"project_id": self.project_id, "bulk_id": new_id()}
        asked = {**body, "state": "needs_review", "action": self.rng.choice(["approve", "requeue"])}
        await self.socket.request("review.decide_all", asked)
        if self.rng.random() < 0.3:
            undo = {**body, "bulk_id": new_id(), "undoes": body["bulk_id"]}
            await self.socket.request("review.decide_all", undo)

    async def pause(self) -> None:
        for state in ("paused", "running"):
            await self.http.change_project(self.project_id, state=state)
            await asyncio.sleep(0.1)

    async def bring_pictures(self) -> None:
        if self._imports < IMPORTS_MOST:
            self._imports += 1
            folder = self.folder / f"more-{self._imports}"
            pictures(folder, 6, start=9000 + 6 * self._imports)
            (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no")
            await import_pictures(self.http, self.project_id, folder, upload=False)

    async def bring_labels(self) -> None:
        """Made elsewhere: prelabels, votes of somebody, or final labels."""
        some = self._some([item.name async for item in self.http.items(self.project_id)], 4)
        rows = "\n".join(f"{name},{self.rng.choice(CLASSES)}" for name in some)
        kind = self.rng.choice(["prelabels", "votes", "labels"])
        options = {"existing": self.rng.choice(["keep", "replace"])}
        if kind == "votes":
            users = {user.user_id: user.login for user in await self.http.users()}
            options["person"] = users[self.rng.choice(self.people)]
        self.folder.mkdir(exist_ok=True)
        file = self.folder / "labels.csv"
        file.write_text(f"name,label\n{rows}\n")
        found = await look_through(self.http, self.project_id, file, kind, options)
        if found.state == "ready":
            await self.http.apply_label_import(self.project_id, found.import_id, leave_out=True)

    async def take_back(self) -> None:
        body = {"user_id": self.rng.choice(self.people)}
        done = (await self._send("POST", "takebacks", body)).json()
        if self.rng.random() < 0.7:
            await self.http.request("DELETE", f"{self._one}/takebacks/{done['takeback_id']}")

    async def note(self) -> None:
        await self.http.note(self.project_id, "Look twice.")

    async def mark_gold(self) -> None:
        labeled = [item.item_id async for item in self.http.items(self.project_id, "labeled")]
        some = self._some(labeled, 5)
        await self.http.mark_gold(self.project_id, some, self.rng.random() < 0.8)

    async def practise(self) -> None:
        await self.http.practise_again(self.project_id, self.rng.choice(self.people))

    async def settings(self) -> None:
        least = self.rng.randint(1, 3)
        size = 1 if self.task_type == "boxes" else self.rng.choice([1, 4, 6, 9])
        await self.http.change_project(
            self.project_id, votes_min=least, votes_max=least + self.rng.randint(0, 2),
            skips_max=self.rng.randint(1, 2), gold_rate=self.rng.choice([0.05, 0.3]),
            practice=self.rng.choice([0, 0, 2]), page_size=size,
            instructions=f"Rule {self.rng.randrange(100)}.",
        )  # fmt: skip

    async def prioritize(self) -> None:
        body = {"bulk_id": new_id(), "raised": self.rng.random() < 0.6, "text": self._text()}
        await self._send("POST", "priority", body)

    async def assign(self) -> None:
        there = [a for a in await self.http.assignments(self.project_id) if a.state != "ending"]
        if len(there) > 2:
            await self.http.end_assignment(self.project_id, self.rng.choice(there).number)
        some = self._some(self.people, 2)
        await self.http.assign(
            self.project_id, people=some, only=self.rng.random() < 0.3, text=self._text(),
            share=self.rng.choice([0.3, 1.0]), later=self.rng.random() < 0.5,
        )  # fmt: skip

    async def pause_person(self) -> None:
        user_id = self.rng.choice(self.people)
        try:
            await self._send("POST", f"people/{user_id}/pause", {"paused": True})
            await asyncio.sleep(0.2)
        finally:
            await self._send("POST", f"people/{user_id}/pause", {"paused": False})

    async def take_page(self) -> None:
        await self._send("POST", f"people/{self.rng.choice(self.people)}/take-page", {})

    async def add_class(self) -> None:
        self._names += 1
        name = f"class {self._names}"
        await self._send("POST", "classes", {"classes": [{"name": name}], "then": "go_on"})
        await self._send("PATCH", f"classes/{1 + self._names}", {"name": f"{name}, renamed"})

    async def come_and_go(self) -> None:
        """Somebody leaves the project and comes back."""
        user_id = self.rng.choice(self.people)
        try:
            await self.http.request("DELETE", f"{self._one}/members/{user_id}")
        finally:
            await self.http.set_member(self.project_id, user_id, "labeler")

    async def export(self) -> None:
        begun = await self.http.begin_export(
            self.project_id, self.rng.choice(["csv", "jsonl", "parquet"])
        )
        await asyncio.sleep(0.2)
        await self.http.past_export(self.project_id, begun.export_id)

    async def look(self) -> None:
        """Everything a supervisor looks at."""
        stats = await self.http.stats(self.project_id)
        seq = self.rng.randrange(stats.seq + 1)
        await self.http.request("GET", f"{self._one}/moment?seq={seq}")
        for what in ("curve", "pace", "quality", "changes", "notes", "takebacks"):
            await self.http.request("GET", f"{self._one}/{what}")

    # --

    async def _send(self, method: str, path: str, body: Any) -> httpx.Response:
        return await self.http.request(method, f"{self._one}/{path}", json=body)

    def _answer(self) -> Answer:
        return answer_of(self.task_type, self.rng.choice(CLASSES))

    def _some(self, known: Sequence[T], most: int) -> list[T]:
        return self.rng.sample(known, min(most, len(known)))

    def _text(self) -> str:
        return self.rng.choice(["", *CLASSES, "1"])


Deed = Callable[[Boss], Awaitable[None]]
BUSY: dict[Deed, int] = {
    Boss.decide: 5, Boss.pause: 1, Boss.bring_pictures: 1, Boss.take_back: 1, Boss.note: 2,
}  # fmt: skip
RICH: dict[Deed, int] = {
    Boss.decide: 4, Boss.decide_all: 2, Boss.pause: 1, Boss.bring_pictures: 1,
    Boss.bring_labels: 2, Boss.take_back: 1, Boss.note: 1, Boss.mark_gold: 4, Boss.practise: 1,
    Boss.settings: 2, Boss.prioritize: 2, Boss.assign: 2, Boss.pause_person: 1, Boss.take_page: 1,
    Boss.add_class: 1, Boss.come_and_go: 1, Boss.export: 1, Boss.look: 2,
}  # fmt: skip
