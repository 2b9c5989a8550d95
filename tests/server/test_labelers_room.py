"""Over real sockets and HTTP: what a labeler has beside the page in hand, and who else sees it."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import httpx

from chorus.client.upload import follow
from chorus.server.transport.hub import SUBS_MAX
from chorus.simulate.setup import add_person
from tests.server.raw import Frame, Raw, connect
from tests.servers import Bench, pictures, right


async def named(bench: Bench, name: str, role: str = "labeler") -> tuple[str, str]:
    """(user_id, token) of a new member."""
    login = f"{name}-{uuid.uuid4().hex[:6]}"
    user, token = await add_person(bench.admin, bench.project.project_id, login, name, role)  # type: ignore[arg-type]
    return user.user_id, token


async def first_page(raw: Raw) -> Frame:
    await raw.ask("labeling.open", tab="t", credit=1)
    page: Frame = (await raw.until("page"))["body"]
    return page


def comment(item_id: int, text: str, **more: Any) -> dict[str, Any]:
    return {"comment_id": str(uuid.uuid4()), "item_id": item_id, "text": text, **more}


async def test_a_thread_is_between_one_labeler_and_the_supervisors(
    bench: Bench, tmp_path: Path
) -> None:
    project = await bench.make(pictures(tmp_path, 8), page_size=4, votes_min=2, votes_max=2)
    topic = f"project/{project.project_id}/comments"
    ann, ann_token = await named(bench, "ann")
    _, ben_token = await named(bench, "ben")
    _, boss_token = await named(bench, "sue", "supervisor")
    async with (
        connect(bench, ann_token) as ann_ws,
        connect(bench, ben_token) as ben_ws,
        connect(bench, boss_token) as boss_ws,
    ):
        her, him, boss = (Raw(ws, project) for ws in (ann_ws, ben_ws, boss_ws))
        page = await first_page(her)
        ids = {i["item_id"] for i in (await first_page(him))["items"]}
        shared = next(i for i in page["items"] if i["item_id"] in ids)
        for raw in (her, him, boss):
            assert (await raw.ask("subscribe", topic=topic))["body"] == {"unread": 0}
        asked = comment(shared["item_id"], "  Is a scarf an accessory?\nOr clothing? ")
        sent = (await her.ask("comment.add", **asked))["body"]
        assert not sent["duplicate"]
        assert sent["comment"]["text"] == "Is a scarf an accessory?\nOr clothing?"
        again = (await her.ask("comment.add", **asked))["body"]
        assert again == {"comment": sent["comment"], "duplicate": True}
        # At once to the supervisor and to her own tabs, with her name.
        assert (await boss.until("comment"))["body"] == sent["comment"]
        assert (await her.until("comment"))["body"]["name"] == "ann"
        # What is new is counted until it is read.
        new = (await boss.ask("comment.threads", unread=True))["body"]
        assert new["unread"] == 1
        assert new["threads"][0]["item"]["item_id"] == shared["item_id"]
        assert new["threads"][0]["labeler"] == "ann"
        found = (await boss.ask("review.list", state="all", comments="unread"))["body"]
        assert [(i["item_id"], i["comments"]) for i in found["items"]] == [(shared["item_id"], 1)]
        # An answer in her thread; it reaches her alone.
        reply = comment(shared["item_id"], "Clothing.", to=ann)
        await boss.ask("comment.add", **reply)
        assert (await her.until("comment"))["body"]["text"] == "Clothing."
        left = (await boss.ask("comment.threads", unread=True))["body"]
        assert (left["unread"], left["threads"]) == (0, [])
        thread = (await her.ask("comment.threads"))["body"]["threads"][0]
        assert (thread["comments"], thread["unread"]) == (2, 1)
        read = await her.ask("comment.read", item_id=shared["item_id"], seq=thread["last"]["seq"])
        assert read["body"] == {"unread": 0}
        # He has the same item, and a thread of his own.
        assert (await him.ask("comment.list", item_id=shared["item_id"]))["body"] == {
            "comments": []
        }
        await him.ask("comment.add", **comment(shared["item_id"], "Blurred."))
        texts = (await him.ask("comment.list", item_id=shared["item_id"]))["body"]["comments"]
        assert [c["text"] for c in texts] == ["Blurred."]
        everything = (await boss.ask("comment.list", item_id=shared["item_id"]))["body"]["comments"]
        assert [c["labeler"] for c in everything] == ["ann", "ann", "ben"]
        assert not any("scarf" in text or "Clothing" in text for text in him.texts)
        assert not any("Blurred" in text for text in her.texts)
        # Not into another's thread, not about what they never had, not as nobody.
        other = await him.ask("comment.add", **comment(shared["item_id"], "Psst", to=ann))
        assert other["error"]["code"] == "forbidden"
        stolen = await him.ask("comment.add", **{**asked, "text": "mine"})
        assert stolen["error"]["code"] == "conflict"
        unseen = next(i for i in range(1, 10_000) if i not in ids)
        for type, body in [
            ("comment.add", comment(unseen, "What is this?")),
            ("comment.list", {"item_id": unseen}),
            ("comment.read", {"item_id": unseen, "seq": 1}),
        ]:
            assert (await him.ask(type, **body))["error"]["code"] == "not_leased"
        empty = await her.ask("comment.add", **comment(shared["item_id"], "   "))
        assert empty["error"]["code"] == "bad_value"
        nobody = await boss.ask("comment.add", **comment(shared["item_id"], "x", to="nobody"))
        assert nobody["error"]["code"] == "not_found"
        # Whoever leaves hears nothing any more.
        await bench.admin.request("DELETE", f"/api/projects/{project.project_id}/members/{ann}")
        await boss.ask("comment.add", **comment(shared["item_id"], "Too late.", to=ann))
    assert not any("Too late" in text for text in her.texts)


async def test_comments_by_rest_and_a_flag_with_its_reason(bench: Bench, tmp_path: Path) -> None:
    project = await bench.make(pictures(tmp_path, 4), page_size=1)
    ann, token = await named(bench, "ann")
    async with connect(bench, token) as ws:
        raw = Raw(ws, project)
        item = (await first_page(raw))["items"][0]
        _, flagged = await raw.vote(item, "red", kind="flag", value=None)
        assert flagged["ok"]
    base = f"/api/projects/{project.project_id}"
    one = f"{base}/items/{item['item_id']}/comments"
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=bench.server.url, headers=headers) as rest:
        body = {"comment_id": str(uuid.uuid4()), "text": "The picture is broken."}
        made = await rest.post(one, json=body)
        assert (made.status_code, made.json()["duplicate"]) == (201, False)
        assert (await rest.post(one, json=body)).status_code == 200
        assert [c["text"] for c in (await rest.get(one)).json()["comments"]] == [body["text"]]
    review = (await bench.admin.request("GET", f"{base}/items/{item['item_id']}")).json()
    assert (review["state"], review["comments"]) == ("needs_review", 1)
    answer = {"comment_id": str(uuid.uuid4()), "text": "Thank you.", "to": ann}
    await bench.admin.request("POST", one, json=answer)
    listed = (await bench.admin.request("GET", f"{base}/comments")).json()
    assert listed["unread"] == 0, "whoever answers has read"
    async with httpx.AsyncClient(base_url=bench.server.url, headers=headers) as rest:
        listed = (await rest.get(f"{base}/comments", params={"unread": "true"})).json()
        assert listed["threads"][0]["last"]["text"] == "Thank you."
        seq = listed["threads"][0]["last"]["seq"]
        read = await rest.put(f"{one}/read", json={"seq": seq})
        assert read.json() == {"unread": 0}


async def test_history_finds_checks_like_everything_else(bench: Bench, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "work", 12)
    project = await bench.make(folder, page_size=4, gold_rate=0.5)
    gold = pictures(tmp_path / "gold", 12, start=12)
    rows = [f"{path.name},{right(path.name)}" for path in sorted(gold.iterdir())]
    table = gold / "list.csv"
    table.write_text("\n".join(["path,label", *rows]) + "\n")
    job = await bench.admin.import_csv(project.project_id, table, gold=True)
    await follow(bench.admin, project.project_id, job)
    _, token = await named(bench, "ann")
    given: dict[str, str] = {}
    async with connect(bench, token) as ws:
        raw = Raw(ws, project)
        page = await first_page(raw)
        for _ in range(4):
            for place, item in enumerate(page["items"]):
                kind = ("label", "label", "skip", "flag")[place % 4]
                answer = right(item["name"]) if kind == "label" else "red"
                value = {"class": answer} if kind == "label" else None
                _, cast = await raw.vote(item, answer, kind=kind, value=value)
                assert cast["ok"]
                given[item["name"]] = answer if kind == "label" else kind
            await raw.ask("labeling.credit", n=1)
            page = (await raw.until("page"))["body"]
        assert any(int(name[-9:-4]) >= 12 for name in given), "checks came"

        async def found(**wanted: Any) -> set[str]:
            votes = (await raw.ask("labeling.history", limit=200, **wanted))["body"]["votes"]
            seqs = [v["seq"] for v in votes]
            assert seqs == sorted(seqs, reverse=True)
            return {v["name"] for v in votes}

        assert await found() == given.keys()
        for kind in ("skip", "flag", "red", "green"):
            wanted = {"kind": kind} if kind in ("skip", "flag") else {"class": kind}
            assert await found(**wanted) == {n for n, said in given.items() if said == kind}
        assert await found(kind="label") == {
            n for n, said in given.items() if said not in ("skip", "flag")
        }
        name = next(iter(given))
        assert await found(text=name[:-4].upper()) == {name}
        assert await found(text="%") == set()
        assert await found(since=1) == given.keys()
        assert await found(until=1) == set()
        wrong = await raw.ask("labeling.history", **{"class": "mauve"})
        assert wrong["error"]["code"] == "bad_value"
        # Page by page it is the same list.
        seen: list[int] = []
        before = None
        while page := (await raw.ask("labeling.history", limit=3, before=before))["body"]["votes"]:
            seen += [v["item_id"] for v in page]
            before = page[-1]["seq"]
        assert len(seen) == len(set(seen)) == len(given)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=bench.server.url, headers=headers) as rest:
        path = f"/api/projects/{project.project_id}/history"
        flags = (await rest.get(path, params={"kind": "flag", "since": "1", "limit": "200"})).json()
        assert {v["name"] for v in flags["votes"]} == {n for n, s in given.items() if s == "flag"}
        assert (await rest.get(path, params={"since": "yesterday"})).status_code == 400


async def test_preferences_are_ones_own_and_last(bench: Bench) -> None:
    await bench.make()
    _, ann = await named(bench, "ann")
    _, ben = await named(bench, "ben")
    path = "/api/me/preferences"

    def client(token: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "zh-CN"}
        return httpx.AsyncClient(base_url=bench.server.url, headers=headers)

    async with client(ann) as her, client(ben) as him:
        first = (await her.get(path)).json()
        assert (first["break_minutes"], first["motion"], first["language"]) == (50, "auto", None)
        changed = await her.patch(path, json={"keys": {"skip": "k"}, "break_minutes": 25})
        assert changed.json()["keys"] == {**first["keys"], "skip": "k"}
        assert changed.json()["changed_keys"] == {"skip": "k"}
        refused = await her.patch(path, json={"keys": {"skip": "f"}, "break_minutes": 5})
        assert refused.status_code == 422
        assert "F is already the key of flag" in refused.json()["error"]["message"]
        assert (await her.get(path)).json()["break_minutes"] == 25, "and nothing was changed"
        assert (await her.patch(path, json={"language": "tlh"})).status_code == 400
        assert (await him.get(path)).json() == first
        reset = (await her.patch(path, json={"keys": {}})).json()
        assert reset["keys"] == first["keys"]
        # The page is in the language of the browser, unless the person has chosen one.
        assert '<html lang="zh-Hans"' in (await her.get("/")).text
        await her.patch(path, json={"language": "en"})
        assert '<html lang="en"' in (await her.get("/")).text
    async with httpx.AsyncClient(base_url=bench.server.url) as nobody:
        page = await nobody.get("/signin", headers={"Accept-Language": "zh"})
        assert "<h1>登录</h1>" in page.text
        assert (await nobody.get(path)).status_code == 401


async def test_the_start_page_says_what_one_has_done(bench: Bench, tmp_path: Path) -> None:
    project = await bench.make(pictures(tmp_path, 6), page_size=4)
    _, token = await named(bench, "ann")
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=bench.server.url, headers=headers) as rest:
        (before,) = (await rest.get("/api/me/projects")).json()["projects"]
        assert before["me"] == {
            "today": 0, "total": 0, "last_at": None, "paused": False, "unread": 0, "per_hour": None,
        }  # fmt: skip
        assert (before["open"], before["labeled"], before["items"]) == (6, 0, 6)
        assert "gold_rate" not in before
        async with connect(bench, token) as ws:
            raw = Raw(ws, project)
            for item in (await first_page(raw))["items"]:
                await raw.vote(item, "red")
        (after,) = (await rest.get("/api/me/projects")).json()["projects"]
        assert (after["me"]["today"], after["me"]["total"]) == (4, 4)
        assert after["me"]["last_at"] > 0
        assert (after["open"], after["labeled"]) == (2, 4)


async def test_one_socket_follows_a_project_only_so_often(bench: Bench) -> None:
    project = await bench.make()
    topic = f"project/{project.project_id}/comments"
    async with (
        connect(bench, await bench.person("labeler")) as ann_ws,
        connect(bench, await bench.person("labeler")) as ben_ws,
    ):
        her, him = Raw(ann_ws, project), Raw(ben_ws, project)
        subs = []
        for _ in range(SUBS_MAX):
            answer = await her.ask("subscribe", topic=topic)
            assert answer["ok"]
            subs.append(answer["re"])
        refused = await her.ask("subscribe", topic=topic)
        assert refused["error"]["code"] == "conflict"
        assert not refused["error"]["retry"]
        # One that ends makes room; what others follow is theirs.
        assert (await her.ask("unsubscribe", sub=subs[0]))["ok"]
        assert (await her.ask("subscribe", topic=topic))["ok"]
        assert not (await her.ask("subscribe", topic=topic))["ok"]
        assert (await him.ask("subscribe", topic=topic))["ok"]
    # Of another project, and of the server, there are as many.
    other = f"project/{(await bench.make()).project_id}/comments"
    async with connect(bench, bench.server.token) as boss_ws:
        boss = Raw(boss_ws, project)
        for one in (topic, other, "server"):
            for _ in range(SUBS_MAX):
                assert (await boss.ask("subscribe", topic=one))["ok"]
            assert (await boss.ask("subscribe", topic=one))["error"]["code"] == "conflict"
