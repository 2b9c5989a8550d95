"""People: passwords, sessions, invitations, roles."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import argon2
import msgspec
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from chorus.server.clock import now_ms
from chorus.server.domain.grants import Grant
from chorus.server.domain.invitations import may_invite
from chorus.server.domain.model import Invite, User
from chorus.server.domain.names import is_plain
from chorus.server.errors import ApiError
from chorus.server.services.limits import HASHING_MAX, Limits
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

DAY = 24 * 3600
SESSION_DAYS = 14
PASSWORD_MIN = 8
HASHING_AT_ONCE = 2
"""Each takes 64 MB, and a processor."""
SEEN_MS = 60_000
LOOK_S = 2.0
"""How often it is looked for sessions that a command beside the server has ended."""
LOGIN_MAX = 64
LOGIN = re.compile(rf"[\w.@+-]{{1,{LOGIN_MAX}}}")
T = TypeVar("T")


class Session(msgspec.Struct, frozen=True):
    """One signing in with a browser. `until`: when its cookie is no longer good (ms); `epoch`: the
    person's `session_epoch` at that time, which it ends with."""

    session_id: str
    until: int
    epoch: int

    @property
    def door(self) -> str:
        return f"session:{self.session_id}"


class CurrentUser(msgspec.Struct, frozen=True):
    """Who makes a request."""

    user_id: str
    login: str
    name: str
    admin: bool
    time_zone: str | None = None
    """Of the IANA database; None: not known yet."""
    grant: Grant | None = None
    """How far their token goes; None: they came by a session."""
    session: Session | None = None

    @property
    def door(self) -> str | None:
        """By what they came in: what ends it ends their sockets."""
        if self.grant is not None:
            return f"token:{self.grant.token_id}"
        return self.session.door if self.session is not None else None

    @property
    def until(self) -> int | None:
        """When that ends by itself (ms); None: never."""
        if self.grant is not None:
            return self.grant.expires_at
        return self.session.until if self.session is not None else None

    @property
    def sees_all(self) -> bool:
        """An admin needs to be a member of nothing."""
        return self.admin or (self.grant is not None and self.grant.admin)

    def public(self) -> dict[str, Any]:
        return {
            "user_id": self.user_id,
            "login": self.login,
            "name": self.name,
            "admin": self.admin,
        }


def _current(user: User) -> CurrentUser:
    return CurrentUser(user.user_id, user.login, user.name, bool(user.admin), user.time_zone)


def digest(token: str) -> str:
    """Tokens are random, so a fast hash suffices; only this is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def invite_id(token_hash: str) -> str:
    """An invitation's name to the outside: the beginning of its hash, by which nothing can be
    opened. Lists have it, and the log."""
    return token_hash[:16]


class Accounts:
    """`secret` signs session cookies and sign-in links; it lives in the data folder."""

    def __init__(self, store: Store, secret: str) -> None:
        self._store = store
        self._hasher = argon2.PasswordHasher()
        self._sessions = URLSafeTimedSerializer(secret, salt="session")
        self._links = URLSafeTimedSerializer(secret, salt="signin-link")
        self.limits = Limits()
        self._hashing = asyncio.Semaphore(HASHING_AT_ONCE)
        self._waiting = 0
        self.ended: Callable[[str], None] = lambda door: None
        """Called with the door (see `CurrentUser`) that has closed: its sockets end."""
        self.gone: Callable[[str], None] = lambda user_id: None
        """Called with whoever has no session and no token any more."""
        self._dummy_hash = self._hasher.hash("nobody")
        self.setup_token: str | None = None
        self._seen: dict[str, int] = {}
        self.demoted: Callable[[str], None] = lambda user_id: None
        """Called for whoever is no admin any more."""
        self.passwords = True
        """Whether people may sign in, and join, by a password."""

    # -- signing in

    async def sign_in(self, login: str, password: str, address: str) -> tuple[CurrentUser, str]:
        """(user, cookie value). Raises wrong_password, rate_limited."""
        if not self.passwords:
            raise ApiError("forbidden", "passwords are switched off; use the other way to sign in")
        login = login[:LOGIN_MAX]
        self.limits.try_password(login, address)
        user = await self._store.read(lambda tx: tx.user_by_login(login))
        known = user.password_hash if user and user.password_hash else self._dummy_hash
        # The same work for unknown logins, so that time tells nothing about who exists.
        fits = await self._slowly(self._verify, known, password)
        if user is None or not user.password_hash or not fits:
            raise ApiError("wrong_password", "login or password is wrong")
        self.limits.was_right(login, address)
        return _current(user), self.session_for(user)

    async def _slowly(self, work: Callable[..., T], *args: Any) -> T:
        """Work on passwords, a few at a time. Raises rate_limited where too many wait."""
        if self._waiting >= HASHING_MAX:
            raise ApiError("rate_limited", "too many people sign in at once; try again")
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(work, *args)
        finally:
            self._waiting -= 1

    def enter(self, user: User) -> tuple[CurrentUser, str]:
        """(user, cookie value) of somebody who has been let in by other means."""
        return _current(user), self.session_for(user)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    def session_for(self, user: User) -> str:
        return self._sessions.dumps([user.user_id, user.session_epoch, secrets.token_hex(8)])

    async def by_session(self, cookie: str) -> CurrentUser | None:
        try:
            (user_id, epoch, *rest), made = self._sessions.loads(
                cookie, max_age=SESSION_DAYS * DAY, return_timestamp=True
            )
        except (BadSignature, ValueError, TypeError):
            return None
        # Cookies of version 6 have no id of their own: one stands for all of that signing in.
        session_id = str(rest[0]) if rest else f"{user_id}-{made.timestamp():.0f}"
        until = round(made.timestamp() * 1000) + SESSION_DAYS * DAY * 1000

        def fn(tx: Tx) -> User | None:
            return None if tx.is_spent(f"session:{session_id}") else tx.user(user_id)

        user = await self._store.read(fn)
        if user is None or user.session_epoch != epoch:
            return None
        session = Session(session_id, until, user.session_epoch)
        return msgspec.structs.replace(_current(user), session=session)

    async def sign_out(self, user: CurrentUser) -> None:
        """The session ends, wherever its cookie has got to; a token is revoked elsewhere."""
        session = user.session
        if session is None:
            return
        await self._store.write(lambda tx: tx.spend(session.door, session.until, now_ms()))
        self.ended(session.door)

    async def sign_out_everywhere(self, user_id: str) -> None:
        """Every session of the person ends, and every sign-in link to them. Tokens stay."""
        await self._store.write(lambda tx: tx.end_sessions(user_id))
        self.gone(user_id)

    async def watch(self, connected: Callable[[], Iterable[CurrentUser]]) -> None:
        """Have what another process ends (`chorus user password`) feel it here as well: for ever.
        connected: whose sockets are open."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look(connected())
            except ApiError:
                return  # shutting down
            except Exception:
                log.exception("looking for ended sessions")

    async def _look(self, users: Iterable[CurrentUser]) -> None:
        sessions = {(user.user_id, user.session) for user in users if user.session is not None}
        if not sessions:
            return
        held = {user_id for user_id, _ in sessions}
        epochs = await self._store.read(lambda tx: tx.session_epochs(held))
        for user_id, session in sessions:
            if epochs.get(user_id) != session.epoch:
                self.ended(session.door)

    # -- passwords

    async def password_of(self, user: CurrentUser) -> tuple[bool, bool]:
        """(they have one, they may change or set it)."""
        held, provided = await self._store.read(lambda tx: _ways_of(tx, user.user_id))
        return held is not None, self.passwords and (held is not None or not provided)

    async def change_password(
        self, user: CurrentUser, old: str | None, new: str, address: str
    ) -> str:
        """One's own: the cookie value of a new session. All that were there end, and every sign-in
        link. `old` is not looked at where there is none yet: somebody who came by a link. Whoever
        comes by a provider gets none: it would let them in past what the provider asks for, and
        after it lets them in no more.

        Raises forbidden (with a token, too), bad_value, wrong_password, rate_limited, not_signed_in
        (the session has ended meanwhile)."""
        session = user.session
        if session is None:
            raise ApiError("forbidden", "a token changes no password; sign in to do that")
        if not self.passwords:
            raise ApiError("forbidden", "passwords are switched off; use the other way to sign in")
        _check_password(new)
        held, provided = await self._store.read(lambda tx: _ways_of(tx, user.user_id))
        if held is not None:
            self.limits.try_password(user.login, address)
            if not await self._slowly(self._verify, held, old or ""):
                raise ApiError("wrong_password", "the old password is wrong")
            self.limits.was_right(user.login, address)
        elif provided:
            raise ApiError("forbidden", "you sign in another way, and need no password")
        hashed = await self._hashed(new)

        def fn(tx: Tx) -> User:
            now = tx.user(user.user_id)
            # Also where the password is another one by now: it was counted up with that.
            if now is None or now.session_epoch != session.epoch or tx.is_spent(session.door):
                raise ApiError("not_signed_in", "your session has ended meanwhile; sign in again")
            tx.set_password(now.user_id, hashed)
            now.session_epoch += 1
            return now

        changed = await self._store.write(fn)
        self.gone(user.user_id)
        return self.session_for(changed)

    async def reset_password(self, user_id: str, by: str) -> str:
        """Take somebody's password away; a token of a sign-in link, with which they come in and
        choose another one. Their sessions end. `by`: who asks. Raises not_found, conflict
        (oneself)."""
        if user_id == by:
            raise ApiError("conflict", "change your own password under My settings")

        def fn(tx: Tx) -> None:
            if tx.user(user_id) is None:
                raise ApiError("not_found", "no such person")
            tx.set_password(user_id, None)

        await self._store.write(fn)
        self.gone(user_id)
        return await self.signin_link(user_id)

    async def give_password(self, login: str, password: str) -> None:
        """The operator gives somebody a password. Raises not_found, bad_value."""
        hashed = await self._hashed(password)

        def fn(tx: Tx) -> str:
            user = tx.user_by_login(login)
            if user is None:
                raise ApiError("not_found", f"there is nobody with the login {login!r}")
            tx.set_password(user.user_id, hashed)
            return user.user_id

        self.gone(await self._store.write(fn))

    async def _hashed(self, password: str) -> str:
        """Takes a thread and tens of milliseconds. Raises bad_value, rate_limited."""
        _check_password(password)
        return await self._slowly(self._hasher.hash, password)

    # -- links

    async def signin_link(self, user_id: str) -> str:
        """A signed token that signs this person in once, within 24 hours."""
        user = await self._store.read(lambda tx: tx.user(user_id))
        if user is None:
            raise ApiError("not_found", "no such person")
        return self._links.dumps([user.user_id, user.session_epoch, secrets.token_hex(8)])

    async def by_link(
        self, token: str, already: CurrentUser | None = None
    ) -> tuple[CurrentUser, str | None]:
        """(user, cookie value; None: they have one). `already`: whoever is signed in with that
        browser, whom a link to somebody else must not quietly replace. Raises forbidden."""
        try:
            user_id, epoch, once = self._links.loads(token, max_age=DAY)
        except SignatureExpired:
            raise ApiError("forbidden", "this sign-in link has expired") from None
        except (BadSignature, ValueError, TypeError):
            raise ApiError("forbidden", "this sign-in link is not valid") from None
        if already is not None and already.user_id != user_id:
            raise ApiError(
                "forbidden", f"you are signed in as {already.name}, and this link is for another"
                " person; sign out first",
            )  # fmt: skip
        if already is not None:
            return already, None

        def fn(tx: Tx) -> User:
            user = tx.user(user_id)
            if user is None or user.session_epoch != epoch:
                raise ApiError("forbidden", "this sign-in link is no longer valid")
            now = now_ms()
            if not tx.spend(f"link:{once}", now + DAY * 1000, now):
                raise ApiError("forbidden", "this sign-in link was used already; ask for another")
            return user

        user = await self._store.write(fn)
        return _current(user), self.session_for(user)

    # -- people

    async def users(self) -> list[dict[str, Any]]:
        """Each a User with `email`, `last_seen_at` (ms or None), `time_zone` (IANA, or None),
        `roles`, one for each project they are a member of: `{"project_id", "role", "by_team"}`,
        and the ids of their `teams`."""

        def fn(tx: Tx) -> list[dict[str, Any]]:
            more = {user_id: rest for user_id, *rest in tx.people_table()}
            roles: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
            for user_id, project_id, role, by_team in tx.all_roles():
                held = {"project_id": project_id, "role": role, "by_team": by_team}
                roles[user_id].append(held)
            teams: defaultdict[str, list[str]] = defaultdict(list)
            for team_id, user_id in tx.team_people():
                teams[user_id].append(team_id)
            return [
                {
                    **_current(user).public(),
                    "email": more[user.user_id][0],
                    "last_seen_at": more[user.user_id][1],
                    "time_zone": user.time_zone,
                    "roles": roles[user.user_id],
                    "teams": teams[user.user_id],
                }
                for user in tx.users()
            ]

        return await self._store.read(fn)

    async def change(self, user_id: str, name: str | None, admin: bool | None) -> None:
        """What an admin changes of a person; None stays. Raises bad_value, conflict, not_found."""

        def fn(tx: Tx) -> None:
            user = tx.user(user_id)
            if user is None:
                raise ApiError("not_found", "no such person")
            if name is not None:
                rename(tx, user_id, check_person(name), now_ms())
            if admin is not None and admin != bool(user.admin):
                if not admin and tx.count_admins() == 1:
                    raise ApiError("conflict", "this is the last admin; make another one first")
                tx.set_admin(user_id, admin)
                tx.end_webhooks(user_id)
                if not admin:
                    tx.end_links(user_id, ("admin",), None)

        await self._store.write(fn)
        if admin is False:
            self.demoted(user_id)

    async def set_time_zone(self, user_id: str, time_zone: str) -> None:
        """Where a person's browser is. Raises bad_value for no name of the IANA database."""
        if not is_zone(time_zone):
            raise ApiError("bad_value", "no such time zone")
        await self._store.write(lambda tx: tx.set_time_zone(user_id, time_zone))

    async def seen(self, user_id: str) -> None:
        """Note that somebody is here, at most once in SEEN_MS."""
        now = now_ms()
        if now - self._seen.get(user_id, 0) < SEEN_MS:
            return
        self._seen[user_id] = now
        try:
            await self._store.write(lambda tx: tx.seen(user_id, now))
        except Exception as error:
            # The disk is full …: who only looks must still see something.
            log.warning("when somebody was here is not noted: %s", error)

    async def make_user(
        self, login: str, name: str, password: str | None, admin: bool = False
    ) -> User:
        """A checked, not yet stored person."""
        if not LOGIN.fullmatch(login):
            raise ApiError("bad_value", "a login has 1 to 64 letters, digits or . _ - @ +")
        check_person(name)
        hashed = None if password is None else await self._hashed(password)
        return User(secrets.token_hex(8), login, name.strip(), admin, hashed, 1, now_ms())

    async def add_user(
        self, login: str, name: str, password: str | None, admin: bool
    ) -> CurrentUser:
        user = await self.make_user(login, name, password, admin)
        await self._store.write(lambda tx: insert_user(tx, user))
        return _current(user)

    async def has_admin(self) -> bool:
        return await self._store.read(lambda tx: tx.has_admin())

    async def setup(
        self, token: str, login: str, name: str, password: str
    ) -> tuple[CurrentUser, str]:
        """The first admin, by the link printed at the first start."""
        if self.setup_token is None or not secrets.compare_digest(token, self.setup_token):
            raise ApiError("forbidden", "this set-up link is not valid (or was used already)")
        user = await self.make_user(login, name, password, admin=True)

        def fn(tx: Tx) -> None:
            if tx.has_admin():
                raise ApiError("conflict", "there is an admin already; sign in instead")
            insert_user(tx, user)

        await self._store.write(fn)
        self.setup_token = None
        return _current(user), self.session_for(user)

    # -- invitations

    async def invite(
        self, by: str, role: str, project_id: str | None, uses: int, days: int
    ) -> tuple[str, int]:
        """(token, expires_at). Who may invite whom is decided by transport."""
        if role not in ("labeler", "supervisor", "admin"):
            raise ApiError("bad_value", "role must be labeler, supervisor or admin")
        if role != "admin" and project_id is None:
            raise ApiError("bad_value", "an invitation for this role needs a project")
        if not 1 <= uses <= 1000 or not 1 <= days <= 365:
            raise ApiError("bad_value", "uses must be 1 to 1000, days 1 to 365")
        token = secrets.token_urlsafe(24)
        now = now_ms()
        expires = now + days * DAY * 1000

        def fn(tx: Tx) -> None:
            if project_id is not None and tx.project(project_id) is None:
                raise ApiError("not_found", "no such project")
            tx.add_invite(digest(token), role, project_id, by, now, expires, uses)

        await self._store.write(fn)
        return token, expires

    async def invitation(self, token: str) -> tuple[Invite, str | None]:
        """(the invitation, project name)."""

        def fn(tx: Tx) -> tuple[Invite, str | None]:
            found = usable(tx, token, now_ms())
            if found is None:
                raise ApiError("not_found", "this invitation is not valid (any more)")
            project = tx.project(found.project_id) if found.project_id else None
            return found, project.name if project else None

        return await self._store.read(fn)

    async def accept(
        self, token: str, new: User | None, existing: str | None
    ) -> tuple[CurrentUser, str, str | None]:
        """Join by invitation, as a new person or the one signed in. (user, cookie, project)."""

        def fn(tx: Tx) -> tuple[User, str | None]:
            now = now_ms()
            found = usable(tx, token, now)
            if found is None:
                raise ApiError("not_found", "this invitation is not valid (any more)")
            role, project_id = found.role, found.project_id
            if new is not None:
                _meant(found, new)
                insert_user(tx, new)
                user = new
            else:
                known = tx.user(existing or "")
                if known is None:
                    raise ApiError("not_signed_in", "sign in first")
                user = known
                _meant(found, user)
            if new is not None and found.email is not None:
                tx.set_email(user.user_id, found.email)
            if role == "admin":
                tx.set_admin(user.user_id)
                user.admin = True
            elif project_id is not None:
                held = tx.role(project_id, user.user_id)
                # An invitation as labeler must not take a supervisor's role away.
                join(tx, project_id, user, "supervisor" if held == "supervisor" else role, now)
            tx.use_invite(found.token_hash)
            return user, project_id

        user, project_id = await self._store.write(fn)
        return _current(user), self.session_for(user), project_id


def usable(tx: Tx, token: str, now: int) -> Invite | None:
    """The invitation of a link, if it is not over."""
    found = tx.invite(digest(token), now)
    return found if found is not None and stands(tx, found) else None


def stands(tx: Tx, invite: Invite) -> bool:
    """May whoever made it still invite to it? Who was erased, or is less than they were, may not;
    or they would come back by their own link, and let others in."""
    maker = tx.user(invite.created_by)
    if maker is None:
        return False
    held = tx.role(invite.project_id, maker.user_id) if invite.project_id is not None else None
    return may_invite(bool(maker.admin), held, invite.role)


def _meant(invite: Invite, user: User) -> None:
    """Raises forbidden for whom a person's own invitation is not for."""
    if invite.login is not None and invite.login != user.login:
        raise ApiError("forbidden", f"this invitation is for {invite.login}; sign out first")


def _ways_of(tx: Tx, user_id: str) -> tuple[str | None, bool]:
    """How somebody signs in: (hash of their password, whether by a provider)."""
    user = tx.user(user_id)
    return user.password_hash if user else None, tx.has_identity(user_id)


def _check_password(password: str) -> None:
    if len(password) < PASSWORD_MIN:
        raise ApiError("bad_value", f"a password has at least {PASSWORD_MIN} characters")


def check_person(name: str) -> str:
    """A person's name without blanks around it. Raises bad_value."""
    if not name.strip() or len(name) > 100 or not is_plain(name):
        raise ApiError("bad_value", "a name has 1 to 100 characters that can be seen")
    return name.strip()


def is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path; a folder
        return False
    return True


def rename(tx: Tx, user_id: str, name: str, now: int) -> None:
    """Somebody has another name from here on; the log before says the one they had."""
    tx.set_name(user_id, name)
    for project_id in tx.boards_of_person(user_id):
        tx.emit(project_id, now, "person.renamed", {"user_id": user_id, "name": name})


def insert_user(tx: Tx, user: User) -> None:
    if tx.user_by_login(user.login) is not None:
        raise ApiError("conflict", f"the login {user.login!r} is taken")
    tx.add_user(user)


def join(tx: Tx, project_id: str, user: User, role: str, now: int, by_team: bool = False) -> None:
    """by_team: not by themselves, see domain/teams."""
    was = tx.role(project_id, user.user_id)
    tx.set_member(project_id, user.user_id, role, now, by_team)
    body = {"user_id": user.user_id, "name": user.name, "role": role}
    if was not in (None, role):
        body["was"] = was
        tx.end_webhooks(user.user_id)
    if was == "supervisor" and role == "labeler":
        tx.end_links(user.user_id, ("supervisor",), project_id)
    tx.emit(project_id, now, "member.joined", body)


def leave(tx: Tx, project_id: str, user_id: str, now: int) -> int:
    """Out of a project; nothing happens to whoever is not in it. How many invitations end by it:
    all that they, under whatever name, could come back by."""
    if not tx.drop_member(project_id, user_id):
        return 0
    tx.end_webhooks(user_id)
    tx.emit(project_id, now, "member.left", {"user_id": user_id})
    return tx.end_links(user_id, ("labeler", "supervisor"), project_id)
