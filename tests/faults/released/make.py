"""Rows of a small project as the code of its time writes them: a fixture of test_upgrades.py.

Once a schema is released, in a checkout of that release:
`python -m tests.faults.released.make > tests/faults/released/schema_N.sql`. (Those of schemas 1 to
6 were made in checkouts of the last commit that wrote them.)
"""

from __future__ import annotations

import random
import uuid

from chorus.server.errors import ApiError
from tests.server.world import World


def main() -> None:
    rng = random.Random(7)
    uuid.uuid4 = lambda: uuid.UUID(int=rng.getrandbits(128), version=4)
    world = World(votes_min=2, votes_max=3, people=4)
    world.add(14)
    world.add(2, "0", True)
    votes: dict[str, tuple[str, int]] = {}
    for _ in range(5):
        for user in world.people[:3]:
            world.now += 1000
            dealt = world.deal(user)
            for item in dealt.page["items"] if dealt.page is not None else ():
                world.now += 100
                kind = rng.choices(["label", "skip", "flag"], [16, 1, 1])[0]
                value = str(rng.choices([0, 1, 2], [6, 2, 1])[0]) if kind == "label" else None
                vote_id = str(uuid.uuid4())
                world.cast(user, item["item_id"], value, kind, vote_id=vote_id)
                votes[vote_id] = (user, item["item_id"])
    for vote_id, (user, item_id) in list(votes.items())[:6]:
        try:
            world.cast(user, item_id, "2", supersedes=vote_id)
        except ApiError:
            continue  # closed meanwhile
    world.deal("u3")
    review = [item.item_id for item in world.items() if item.state == "needs_review"]
    world.decide(review[0], "change", "1")
    world.now += 1000
    world.take_back("u2", 0, 1 << 40)
    world.model_says(world.items()[-1].item_id, "0:0.9")
    assert world.findings() == []
    (version,) = world.db.execute("PRAGMA user_version").fetchone()
    print(f"-- Rows of a database of schema {version}, written by the code of its time (make.py).")
    print(*(line for line in world.db.iterdump() if line.startswith("INSERT INTO")), sep="\n")
    world.close()


if __name__ == "__main__":
    main()
