"""The soak: people work on real processes while everything goes wrong, and nothing is lost.

`make soak` or `python -m tests.faults.soak --faults 10000`. It goes in episodes, each with a
server, a data folder and a seed of its own; a failure names the seed, and `--seed` replays it: the
same faults in the same order (when exactly they hit is up to the processes).

After each fault: every acknowledged vote is in the database, once; all states, labels, counts and
the fold of the event log are what the facts say (`chorus fsck`). At the end of an episode also:
everybody's work comes to its end, the server's own view equals the tables, clients' histories are
linearizable, and the export has what the database has.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from chorus.client import Socket, StatsWatch
from chorus.client.messages import Stats
from chorus.client.process import ServerProcess
from chorus.machine import cores
from chorus.server.domain.model import STATES
from chorus.server.services import fsck
from chorus.server.services.dashboard import snapshot
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx
from chorus.simulate import audit
from chorus.simulate.setup import add_person
from tests.faults import histories, soak_boss
from tests.faults.histories import Op
from tests.faults.proxy import Proxy
from tests.faults.shim import Shim
from tests.faults.soak_boss import Boss
from tests.faults.soak_faults import ORDERLY, Acked, Scene, draw, lost
from tests.faults.soak_people import EXPELLED, SETTLED, Labeler, Record
from tests.servers import Bench, TestServer, pictures

PATIENCE_S = 120.0
PLAIN = {"votes_min": 1, "votes_max": 1}
"""Nobody reviews, takes back or imports: its history is checked."""
BUSY = {"votes_min": 2, "votes_max": 3, "consensus": "majority"}
RICH = {"votes_min": 1, "votes_max": 2, "gold_rate": 0.3}
"""All that a supervisor can do is done, by `soak_boss.RICH`."""
TASK_TYPES = ("multiclass", "multilabel", "boxes")
"""Of the rich project."""
TRIES = 20
"""What supervisors try so often works at least once; else the soak asks for something wrong."""


class Failed(AssertionError):
    """What must never be."""


class Episode:
    """One server's life. `kinds`: how often each fault came."""

    def __init__(self, folder: Path, seed: int, faults: int, model: bool, people: int) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.faults = faults
        self.model = model
        self.people = people
        self.kinds: Counter[str] = Counter()
        self.records: dict[str, Record] = {}
        self.labelers: list[Labeler] = []
        self.bosses: list[Boss] = []
        self.watches: dict[str, StatsWatch] = {}
        """Dashboards that stay open all the time."""
        self.say: Callable[[str], None] = lambda line: None

    @property
    def acked(self) -> int:
        return sum(len(record.acked) for record in self.records.values())

    async def run(self) -> None:
        """Raises `Failed`, or whatever else went wrong."""
        data = self.folder / "data"
        shim = Shim(self.folder / "shim", data)
        process = ServerProcess(data, env=shim.env)
        token = process.add_user("admin", "Admin", admin=True)
        self.server = TestServer(process, token)
        try:
            await process.start()
            async with AsyncExitStack() as stack:
                proxy = await stack.enter_async_context(
                    Proxy(process.port, self.rng.getrandbits(32))
                )
                bench = await stack.enter_async_context(Bench(self.server))
                await self._set_up(bench, proxy)
                scene = Scene(
                    self.server, shim, proxy, self.rng, list(self.records), bench.admin,
                    self._acked,
                )  # fmt: skip
                work = [asyncio.create_task(one.run()) for one in self.labelers]
                bosses = [asyncio.create_task(boss.run()) for boss in self.bosses]
                try:
                    await self._storm(scene, [*work, *bosses])
                    shim.well()
                    shim.set_clock(0)
                    proxy.well()
                    for task in bosses:
                        task.cancel()
                    await asyncio.gather(*bosses, return_exceptions=True)
                    await self._drain(bench, work)
                finally:
                    for task in (*work, *bosses):
                        task.cancel()
                    await asyncio.gather(*work, *bosses, return_exceptions=True)
                await self._at_the_end(bench)
            status = await process.stop()
            if status not in ORDERLY:
                raise Failed(f"the server's last stop ended with {status}")
            self._check()
        finally:
            await process.stop()

    # -- before

    async def _set_up(self, bench: Bench, proxy: Proxy) -> None:
        assist: dict[str, Any] = {"cluster": self.model, "prelabel": self.model}
        task_type = self.rng.choice(TASK_TYPES)
        # With one label each, the model asks others about some (second looks).
        assist["votes_min"] = self.rng.choice([1, BUSY["votes_min"]])
        kinds: tuple[dict[str, Any], ...] = (PLAIN, RICH | {"task_type": task_type}, BUSY | assist)
        for number, rules in enumerate(kinds):
            folder = pictures(self.folder / f"pictures-{number}", 40 + 6 * self.faults)
            size = 1 if rules.get("task_type") == "boxes" else 4
            project = await bench.make(folder, page_size=size, lease_ms=60_000, **rules)
            may_be = EXPELLED if "task_type" in rules else SETTLED
            self.records[project.project_id] = Record(may_be)
        for number in range(self.people):
            for project_id, record in self.records.items():
                bench.project = await bench.admin.project(project_id)
                name = f"p{number}-{project_id[:4]}"
                user, token = await add_person(bench.admin, project_id, name, name, "labeler")
                tabs = 2 if number == 0 else 1
                self.labelers += [
                    Labeler(
                        proxy.url, token, user.user_id, project_id, record, self.rng.getrandbits(32)
                    )
                    for _ in range(tabs)
                ]
        _, rich, busy = self.records
        for project_id, kind, deeds in (
            (busy, "multiclass", soak_boss.BUSY), (rich, task_type, soak_boss.RICH),
        ):  # fmt: skip
            people = {one.person for one in self.labelers if one.project_id == project_id}
            boss = Boss(
                bench.admin, await bench.socket(self.server.token), project_id, kind,
                sorted(people), deeds, self.folder / project_id,
                random.Random(self.rng.getrandbits(32)),
            )  # fmt: skip
            self.bosses.append(boss)
        for project_id in self.records:
            socket = await bench.stack.enter_async_context(Socket(proxy.url, self.server.token))
            self.watches[project_id] = await StatsWatch.open(socket, project_id)

    # -- while it lasts

    async def _storm(self, scene: Scene, tasks: list[asyncio.Task[None]]) -> None:
        while (left := self.faults - self.kinds.total()) > 0:
            faults = draw(self.rng, self.model)[:left]
            self.kinds.update(fault.__name__ for fault in faults)
            self._still(tasks)  # or what kills it would hide that it had ended
            names = ", ".join(fault.__name__ for fault in faults)
            self.say(f"  {names}; {self.acked} votes acknowledged")
            before = self.acked
            seeds = [self.rng.getrandbits(32) for _ in faults]
            await asyncio.gather(
                *(
                    fault(replace(scene, rng=random.Random(seed)))
                    for fault, seed in zip(faults, seeds, strict=True)
                )
            )
            self._still(tasks)
            self._check()
            # Somebody goes on before the next: else nothing of use would happen in between.
            end = monotonic() + 1.5
            while self.acked == before and monotonic() < end:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def _still(self, tasks: list[asyncio.Task[None]]) -> None:
        if not self.server.process.running:  # no fault leaves it so
            raise Failed(f"the server has ended by itself:\n{self.server.process.log_tail()}")
        for task in tasks:
            if task.done():
                task.result()
                raise Failed("somebody has ended")
        for one in (*self.records.values(), *self.bosses):
            if one.wrong:
                raise Failed("\n".join(one.wrong))

    # -- is all well?

    def _acked(self) -> Acked:
        return {project_id: dict(record.acked) for project_id, record in self.records.items()}

    def _check(self) -> None:
        """Of one moment of the database; the server may be at work on it."""
        acked = self._acked()
        with closing(connect(self.server.process.data_dir / "chorus.sqlite", readonly=True)) as db:
            db.execute("BEGIN")
            if missing := lost(db, acked):
                raise Failed(f"acknowledged and not there: {missing}")
            for project_id in acked:
                twice = db.execute(
                    "SELECT item_id, user_id, COUNT(*) FROM standing WHERE project_id = ?"
                    " GROUP BY 1, 2 HAVING COUNT(*) > 1", (project_id,),
                ).fetchall()  # fmt: skip
                if twice:
                    raise Failed(f"two votes of one person stand: {twice}")
            findings = list(fsck.check(Tx(db)))
        if findings:
            raise Failed("fsck:\n" + "\n".join(findings))

    # -- and then

    async def _drain(self, bench: Bench, work: list[asyncio.Task[None]]) -> None:
        """Everybody goes on until there is nothing left to do."""
        self._still(work)
        for boss in self.bosses:
            await boss.let_all_end()
        for project_id in self.records:
            end = monotonic() + PATIENCE_S
            while left := self._left(project_id):
                self._still(work)
                if monotonic() > end:
                    raise Failed(
                        f"the queue does not drain: {left} items are left in {project_id}\n"
                        f"{self._who_waits(project_id)}"
                    )
                await asyncio.sleep(0.1)
        for one in self.labelers:
            async with asyncio.timeout(PATIENCE_S):
                await one.flushed()

    def _left(self, project_id: str) -> int:
        """Open items that somebody holds, or that somebody has never answered. (What all have
        answered without agreeing, after a skip, waits for more people.)"""
        with closing(connect(self.server.process.data_dir / "chorus.sqlite", readonly=True)) as db:
            (left,) = db.execute(
                "SELECT COUNT(*) FROM item i WHERE i.project_id = ?"
                " AND i.state IN ('unlabeled', 'in_progress') AND (i.n_leases > 0 OR EXISTS"
                " (SELECT 1 FROM member m WHERE m.project_id = i.project_id AND m.role = 'labeler'"
                " AND NOT EXISTS (SELECT 1 FROM vote v WHERE v.item_id = i.item_id"
                " AND v.user_id = m.user_id)))",
                (project_id,),
            ).fetchone()
        return int(left)

    def _who_waits(self, project_id: str) -> str:
        return "\n".join(
            f"  {one.person}: pages {len(one.tab.pages)}, empty {one.tab.empty}, paused"
            f" {one.tab.paused}, credit {one.tab._credit}, unacked {one.socket.unacked}"
            for one in self.labelers
            if one.project_id == project_id and hasattr(one, "tab")
        )

    async def _at_the_end(self, bench: Bench) -> None:
        plain = next(iter(self.records))
        bench.project = await bench.admin.project(plain)
        rows = await bench.votes()
        record = self.records[plain]
        found = audit.check(rows, record.acked, PLAIN["votes_min"], PLAIN["votes_max"])
        if found.lost or found.duplicate:
            raise Failed(f"the export: {found}")
        standing: dict[int, set[str]] = {}
        for row in rows:
            if row.standing:
                standing.setdefault(row.item_id, set()).add(row.vote_id)
        now = monotonic()
        items = {op.item for op in record.ops}
        reads = [
            Op(item, now, now + 1, "read", standing=frozenset(standing.get(item, ())))
            for item in items
        ]
        still_held = [
            Op(item, since, histories.NEVER, "release", lease=lease, may=True)
            for one in self.labelers
            for lease, (item, since) in one.tab.held.items()
        ]
        wrong = histories.violations([*record.ops, *still_held, *reads], 1, 1)
        wrong += histories.out_of_order(record.acks)
        if wrong:
            raise Failed("not linearizable:\n" + "\n".join(wrong))
        for project_id in self.records:
            await self._board_is_right(bench, project_id)

    async def _board_is_right(self, bench: Bench, project_id: str) -> None:
        """The server's own view, folded as events came, against the tables."""

        def differs(said: Stats) -> str | None:
            with closing(
                connect(self.server.process.data_dir / "chorus.sqlite", readonly=True)
            ) as db:
                db.execute("BEGIN")
                tx = Tx(db)
                true, counted = snapshot(tx, project_id), tx.pace_seq(project_id)
            if true.seq != said.seq:
                return f"seq {said.seq}, by the tables {true.seq}"
            for what, shown, stored in (
                ("counts", {s: getattr(said.counts, s) for s in STATES}, true.counts),
                ("votes", said.votes, true.votes),
                ("queue", said.queue, true.queue),
                ("people", sorted(map(figures, said.labelers)),
                 sorted(map(figures, true.labelers.values()))),
                ("pace", (said.pace.seq, said.measuring), (counted, False)),
            ):  # fmt: skip
                if shown != stored:
                    return f"{what} {shown}, by the tables {stored}"
            return None

        end = monotonic() + PATIENCE_S
        while (wrong := differs(await bench.admin.stats(project_id))) is not None:
            if monotonic() > end:
                raise Failed(f"the dashboard of {project_id} is wrong: {wrong}")
            await asyncio.sleep(0.1)
        # Who watched all the time sees the same.
        await self._seen(project_id, differs)

    async def _seen(self, project_id: str, differs: Callable[[Stats], str | None]) -> None:
        watch = self.watches[project_id]
        try:
            async with asyncio.timeout(PATIENCE_S):
                await watch.until(lambda stats: differs(stats) is None)
        except TimeoutError:
            wrong = "nothing" if watch.stats is None else differs(watch.stats)
            raise Failed(f"an open dashboard of {project_id} shows {wrong}") from None


def figures(person: Any) -> tuple[Any, ...]:
    """Of one labeler on a dashboard."""
    names = "user_id votes labels skips prelabels_seen prelabels_changed compared agreed paused"
    return tuple(getattr(person, name) for name in names.split())


@dataclass(frozen=True)
class Plan:
    """One episode, to be had again."""

    seed: int
    faults: int
    model: bool
    people: int
    verbose: bool = False

    @property
    def replay(self) -> str:
        model = " --model-every 1" if self.model else " --model-every 0"
        return (
            f"python -m tests.faults.soak --seed {self.seed} --faults {self.faults}"
            f" --per-episode {self.faults}{model} --people {self.people} --verbose"
        )


@dataclass(frozen=True)
class Survived:
    kinds: Counter[str]
    acked: int
    frames: int
    tried: Counter[str]
    """What supervisors set about …"""
    deeds: Counter[str]
    """… and did: the rest was refused, or met a fault."""


def _where(error: BaseException) -> str:
    """Of what was not to be expected, where it came from."""
    return "" if isinstance(error, Failed) else "".join(traceback.format_tb(error.__traceback__))


async def survive(plan: Plan) -> Survived:
    """Raises `Failed` with how to replay it; its folder stays then."""
    folder = Path(tempfile.mkdtemp(prefix=f"soak-{plan.seed}-"))
    episode = Episode(folder, plan.seed, plan.faults, plan.model, plan.people)
    if plan.verbose:
        episode.say = lambda line: print(line, flush=True)
    try:
        await episode.run()
    except Exception as error:
        raise Failed(
            f"seed {plan.seed} failed after {episode.kinds.total()} faults"
            f" ({', '.join(episode.kinds)}); its folder: {folder}\n"
            f"{type(error).__name__}: {error}\n{_where(error)}replay: {plan.replay}"
        ) from error
    shutil.rmtree(folder, ignore_errors=True)
    frames = sum(record.frames for record in episode.records.values())
    tried = sum((boss.tried for boss in episode.bosses), Counter[str]())
    deeds = sum((boss.done for boss in episode.bosses), Counter[str]())
    return Survived(episode.kinds, episode.acked, frames, tried, deeds)


def plans(
    seed: int, faults: int, per_episode: int, model_every: int, people: int, verbose: bool = False
) -> Iterator[Plan]:
    """Episodes with seeds from `seed` on, until there are `faults`."""
    for number, begun in enumerate(range(0, faults, per_episode)):
        model = bool(model_every) and number % model_every == model_every - 1
        yield Plan(seed + number, min(per_episode, faults - begun), model, people, verbose)


def _survive(plan: Plan) -> Survived:
    return asyncio.run(survive(plan))


def soak(all_of_them: Sequence[Plan], jobs: int, say: Callable[[str], None]) -> int:
    """Returns how many faults there were. Raises what the first failed episode does, when the
    others that have begun are over."""
    began, kinds, acked, frames = monotonic(), Counter[str](), 0, 0
    tried, deeds = Counter[str](), Counter[str]()
    with ProcessPoolExecutor(jobs) as pool:
        begun = {pool.submit(_survive, plan): plan for plan in all_of_them}
        try:
            for future in as_completed(begun):
                try:
                    survived = future.result()
                except Failed as error:
                    say(f"{error}\nthe others go on to their ends")
                    raise
                kinds += survived.kinds
                acked += survived.acked
                frames += survived.frames
                tried += survived.tried
                deeds += survived.deeds
                done, took = kinds.total(), monotonic() - began
                say(
                    f"seed {begun[future].seed}: {done} faults in {took:.0f} s"
                    f" ({done / took:.2f}/s), {acked} votes acknowledged, {frames} frames twice or"
                    " late; nothing lost"
                )
        finally:
            pool.shutdown(cancel_futures=True)
    for counted in (kinds, deeds):
        say(", ".join(f"{name} {n}" for name, n in counted.most_common()))
    never = [name for name, n in tried.items() if n >= TRIES and not deeds[name]]
    if never:
        say(f"supervisors never managed to {', '.join(never)}")
        raise Failed(never)
    return kinds.total()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--per-episode", type=int, default=100)
    parser.add_argument(
        "--model-every",
        type=int,
        default=5,
        help="every so manieth episode has the model (0: none)",
    )
    parser.add_argument("--people", type=int, default=4, help="labelers of each project")
    parser.add_argument("--jobs", type=int, default=cores(), help="episodes at a time")
    parser.add_argument("--verbose", action="store_true", help="name each fault")
    options = parser.parse_args()
    all_of_them = list(
        plans(
            options.seed, options.faults, options.per_episode, options.model_every,
            options.people, options.verbose,
        )
    )  # fmt: skip
    try:
        soak(all_of_them, options.jobs, lambda line: print(line, flush=True))
    except Failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
