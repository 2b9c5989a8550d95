"""Who comes in by an invitation, and who no longer does: the services' own transactions."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chorus.server.domain.invitations import may_invite
from chorus.server.domain.provider import Provider
from chorus.server.errors import ApiError
from chorus.server.services.accounts import Accounts, digest, invite_id
from chorus.server.services.erasing import Erasing
from chorus.server.services.identities import Identities, Identity
from chorus.server.services.inviting import Inviting
from chorus.server.services.projects import Projects
from chorus.server.services.remerging import Remerging
from chorus.server.services.teams import Teams
from chorus.server.storage.sqlite import SqliteStore
from tests.server.world import World


class House:
    """Project `p`, and all by which people come into it and leave it. `root` is an admin."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        self.store = store
        self.accounts = Accounts(store, "a secret of the tests")
        self.inviting = Inviting(store)
        self.projects = Projects(store, Remerging(store))
        self.teams = Teams(store, self.projects)
        self.erasing = Erasing(store, folder)
        self.identities = Identities(store, self.accounts, Provider("https://id.example", "c"))

    async def person(self, role: str | None = None, admin: bool = False) -> str:
        """A new one's id."""
        login = f"person-{secrets.token_hex(4)}"
        user_id = (await self.accounts.add_user(login, login, None, admin)).user_id
        if role is not None:
            await self.set_role(user_id, role)
        return user_id

    async def set_role(self, user_id: str, role: str) -> None:
        await self.projects.set_member("p", user_id, None, role)

    async def role(self, user_id: str) -> str | None:
        return await self.store.read(lambda tx: tx.role("p", user_id))

    async def is_admin(self, user_id: str) -> bool:
        user = await self.store.read(lambda tx: tx.user(user_id))
        return user is not None and bool(user.admin)

    async def link(self, by: str, role: str = "labeler", uses: int = 5) -> str:
        """Its token."""
        project_id = None if role == "admin" else "p"
        token, _ = await self.accounts.invite(by, role, project_id, uses, 365)
        return token

    async def named(self, by: str, login: str, email: str | None = None) -> str:
        """The token of an invitation for one person."""
        text = f"login,email\n{login},{email or ''}"
        found = await self.inviting.by_list(
            by, text, {"p": "Pets"}, "labeler", "p", 7, True, dry_run=False
        )
        token: str = found["people"][0]["token"]
        return token

    async def come(self, token: str, who: str | None = None) -> bool:
        """As somebody, or as a new person. What is over says the same, whyever it is."""
        new = None
        if who is None:
            login = f"new-{secrets.token_hex(4)}"
            new = await self.accounts.make_user(login, login, None)
        try:
            await self.accounts.accept(token, new, who)
        except ApiError as error:
            assert str(error) == "this invitation is not valid (any more)"
            assert error.code == "not_found"
            return False
        return True

    async def is_open(self, token: str) -> bool:
        """As its own page has it; the lists of open ones say the same."""
        try:
            await self.accounts.invitation(token)
            opens = True
        except ApiError:
            opens = False
        found = [i["invite_id"] for i in await self.inviting.open(None)]
        assert opens == (invite_id(digest(token)) in found)
        return opens


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    world = World()
    store = SqliteStore(world.path, lambda events: None, readers=1)
    house = House(store, tmp_path)
    await house.accounts.add_user("root", "Root", None, True)
    yield house
    await store.close()
    world.close()


def test_who_may_invite_whom() -> None:
    for held in (None, "labeler", "supervisor"):
        for role in ("labeler", "supervisor", "admin"):
            assert may_invite(True, held, role)
            assert may_invite(False, held, role) == ((held, role) == ("supervisor", "labeler"))


async def test_an_admins_invitations_end_with_their_rights(house: House) -> None:
    boss = await house.person(admin=True)
    made = [await house.link(boss, role) for role in ("admin", "supervisor", "labeler")]
    assert [await house.is_open(token) for token in made] == [True] * 3
    await house.accounts.change(boss, None, False)
    for token in made:
        assert not await house.is_open(token)
        assert not await house.come(token, boss)
        assert not await house.come(token)
    assert (await house.is_admin(boss), await house.role(boss)) == (False, None)
    # A supervisor now, they may invite labelers, and nobody else.
    await house.set_role(boss, "supervisor")
    assert [await house.is_open(token) for token in made] == [False, False, True]


async def test_a_supervisors_invitations_end_with_their_role(house: House) -> None:
    gone, less, erased = [await house.person("supervisor") for _ in range(3)]
    made = {
        by: (await house.link(by), await house.named(by, f"ada-{by}"))
        for by in (gone, less, erased)
    }
    await house.set_role(less, "labeler")
    user = await house.store.read(lambda tx: tx.user(erased))
    assert user is not None
    assert [await house.is_open(t) for by in made for t in made[by]] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]
    await house.erasing.erase(erased, user.login, None)
    await house.projects.drop_member("p", gone)
    for by, tokens in made.items():
        for token in tokens:
            assert not await house.is_open(token)
        assert not await house.come(tokens[0], by)
        assert not await house.come(tokens[0])
    assert await house.role(gone) is None


async def test_who_was_taken_out_does_not_come_back_by_a_link_made_before(house: House) -> None:
    boss, cheat = await house.person("supervisor"), await house.person()
    shared, single = await house.link(boss), await house.link(boss, uses=1)
    friend = await house.named(boss, "friend")
    assert await house.come(shared, cheat)
    assert await house.projects.drop_member("p", cheat) == 2
    for token in (shared, single):
        assert not await house.come(token, cheat)
        assert not await house.come(token), "nor under another name"
    assert await house.role(cheat) is None
    assert await house.is_open(friend), "it is for somebody else alone"
    assert await house.come(await house.link(boss), cheat), "invited anew"


async def test_nor_does_who_was_taken_out_by_a_team_or_erased(house: House) -> None:
    boss, cheat = await house.person("supervisor"), await house.person()
    team = await house.teams.put(None, "Night")
    await house.teams.set_person(team, cheat, True)
    await house.teams.set_role("p", team, "labeler")
    shared = await house.link(boss)
    await house.teams.set_person(team, cheat, False)
    assert await house.role(cheat) is None
    assert not await house.come(shared, cheat)
    other = await house.person("labeler", admin=True)
    root = await house.store.read(lambda tx: tx.user_by_login("root"))
    user = await house.store.read(lambda tx: tx.user(other))
    assert root is not None
    assert user is not None
    shared, top = await house.link(boss), await house.link(root.user_id, "admin")
    await house.erasing.erase(other, user.login, root.user_id)
    assert not await house.come(shared)
    assert not await house.come(top)


async def test_a_lost_role_does_not_come_back_by_a_link_made_before(house: House) -> None:
    root, person = await house.person(admin=True), await house.person()
    up, low, top = [await house.link(root, r) for r in ("supervisor", "labeler", "admin")]
    assert await house.come(up, person)
    await house.set_role(person, "labeler")
    assert not await house.come(up, person)
    assert await house.come(low), "labelers may still come"
    assert await house.come(top, person)
    await house.accounts.change(person, None, False)
    assert not await house.come(top, person)
    assert not await house.is_admin(person)


async def test_by_openid_connect_it_is_the_same(house: House) -> None:
    """There an address or a link lets somebody in who has no account yet."""
    boss = await house.person("supervisor")
    ada = Identity("sub-ada", "ada@example.org", "Ada", "ada")
    ben = Identity("sub-ben", "ben@example.org", "Ben", "ben")
    await house.named(boss, "ada", ada.email)
    shared = await house.link(boss)
    await house.set_role(boss, "labeler")
    for identity, link in ((ada, None), (ben, shared)):
        with pytest.raises(ApiError) as caught:
            await house.identities.sign_in(identity, link)
        assert caught.value.code == "forbidden"
    await house.set_role(boss, "supervisor")
    found, _ = await house.identities.sign_in(ada, None)
    assert await house.role(found.user_id) == "labeler"
    assert (await house.identities.sign_in(ben, shared))[0].login == "ben"
