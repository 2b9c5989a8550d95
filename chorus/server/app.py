"""The composition root: the only file that names concrete classes and wires them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, WebSocketRoute

from chorus import __version__
from chorus.server import collecting
from chorus.server.decoding import warm_up
from chorus.server.errors import ApiError
from chorus.server.formats.blobfiles import blob_path
from chorus.server.jobs.pool import Pool
from chorus.server.jobs.runner import Runner
from chorus.server.services import Services
from chorus.server.services.accounts import Accounts
from chorus.server.services.artifacts import Artifacts
from chorus.server.services.assigning import Assigning
from chorus.server.services.assignments import Assignments
from chorus.server.services.backing_up import BackingUp
from chorus.server.services.bulk import Bulks
from chorus.server.services.checking import Gold
from chorus.server.services.claims import Claims
from chorus.server.services.classes import Classes
from chorus.server.services.cloning import Cloning
from chorus.server.services.comments import Comments
from chorus.server.services.dashboard import Boards, Dashboard
from chorus.server.services.data_sources import DataSources
from chorus.server.services.deleting import Deleting
from chorus.server.services.drafts import Drafts
from chorus.server.services.erasing import Erasing
from chorus.server.services.exporting import Exporting
from chorus.server.services.exports import Exports
from chorus.server.services.health import Health
from chorus.server.services.identities import Identities
from chorus.server.services.importing import Importing
from chorus.server.services.instructions import Instructions
from chorus.server.services.instruments import Instruments
from chorus.server.services.inviting import Inviting
from chorus.server.services.label_imports import LabelImports
from chorus.server.services.labeling import Labeling
from chorus.server.services.meter import Meter
from chorus.server.services.mine import Mine
from chorus.server.services.news import News
from chorus.server.services.notes import Notes
from chorus.server.services.once import Once
from chorus.server.services.pace import Pace
from chorus.server.services.pictures import Pictures
from chorus.server.services.practising import Practising
from chorus.server.services.preferences import OwnPreferences
from chorus.server.services.previewing import Previewing
from chorus.server.services.prioritizing import Prioritizing
from chorus.server.services.projects import Projects
from chorus.server.services.quality import Quality
from chorus.server.services.referenced import Referenced
from chorus.server.services.refreshing import Refreshing
from chorus.server.services.remerging import Remerging
from chorus.server.services.review import Review
from chorus.server.services.round_state import Paths
from chorus.server.services.rounds import Rounds
from chorus.server.services.similar import Similar
from chorus.server.services.skills import Skills
from chorus.server.services.spending import Spending
from chorus.server.services.starting_over import StartingOver
from chorus.server.services.supervising import Supervising
from chorus.server.services.teams import Teams
from chorus.server.services.timeline import Timeline
from chorus.server.services.tokens import Tokens
from chorus.server.services.webhooks import Webhooks
from chorus.server.settings import Settings
from chorus.server.storage.blobs import BlobStore
from chorus.server.storage.bus import Bus
from chorus.server.storage.cache import Cache
from chorus.server.storage.guard import Guard
from chorus.server.storage.outbound import Outbound
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.vault import Vault
from chorus.server.tracing import OFF, exporting
from chorus.server.transport import (
    oidc,
    operations,
    pages,
    rest_accounts,
    rest_assignments,
    rest_classes,
    rest_comments,
    rest_dashboard,
    rest_drafts,
    rest_events,
    rest_exports,
    rest_instructions,
    rest_invites,
    rest_label_imports,
    rest_mine,
    rest_openapi,
    rest_people,
    rest_projects,
    rest_rounds,
    rest_setup,
    rest_sources,
    rest_teams,
    rest_tokens,
    rest_webhooks,
)
from chorus.server.transport.hardening import Hardening
from chorus.server.transport.http import on_api_error, on_unexpected
from chorus.server.transport.hub import Hub
from chorus.server.transport.observing import Observed
from chorus.server.transport.socket import websocket

log = logging.getLogger(__name__)

IMPORT_WORKERS = 2
IMPORT_NICE = 5
ML_NICE = 10


def rest_routes() -> list[BaseRoute]:
    """All REST routes. Each handler says what it takes and gives (transport/described.py)."""
    return [
        *rest_accounts.routes(),
        *rest_invites.routes(),
        *rest_tokens.routes(),
        *rest_teams.routes(),
        *rest_assignments.routes(),
        *rest_people.routes(),
        *rest_comments.routes(),
        *rest_classes.routes(),
        *rest_mine.routes(),
        *rest_instructions.routes(),
        *rest_setup.routes(),
        *rest_drafts.routes(),
        *rest_rounds.routes(),
        *rest_sources.routes(),
        *rest_dashboard.routes(),
        *rest_exports.routes(),
        *rest_label_imports.routes(),
        *rest_events.routes(),
        *rest_webhooks.routes(),
        *rest_projects.routes(),  # after the others: its last route takes any one name
    ]


def build(settings: Settings) -> Starlette:
    """The ASGI application of one server. Nothing is opened before its lifespan starts."""
    warm_up()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with running(app, settings):
            yield

    rest = rest_routes()
    routes: list[BaseRoute] = [
        WebSocketRoute("/ws", websocket),
        *operations.routes(),
        *rest_openapi.routes(rest),
        *rest,
        *oidc.routes(),
        *pages.routes(),
    ]
    return Starlette(
        routes=routes,
        exception_handlers={ApiError: on_api_error, Exception: on_unexpected},
        middleware=[Middleware(Observed), Middleware(Hardening)],
        lifespan=lifespan,
    )


@contextlib.asynccontextmanager
async def running(app: Starlette, settings: Settings) -> AsyncIterator[None]:
    """Open storage and pools, wire the services to the bus, start what runs by itself."""
    bus = Bus()
    tracing = exporting(__version__) if settings.otel else OFF
    instruments = Instruments(__version__, tracing)
    store = SqliteStore(settings.database, bus.publish, watch=instruments)
    blobs = BlobStore(settings.blobs)
    ml_pool = Pool(1, ML_NICE)
    import_pool = Pool(IMPORT_WORKERS, IMPORT_NICE)

    cache = Cache(settings.cache, settings.cache_bytes)

    def picture(content_hash: str) -> Path:
        try:
            return blobs.path(content_hash, "m")
        except FileNotFoundError:
            # What lies elsewhere has been fetched before (`ready`).
            return blob_path(cache.root, content_hash, "m")

    accounts = Accounts(store, settings.secret())
    accounts.passwords = settings.passwords
    tokens = Tokens(store)
    remerging = Remerging(store)
    projects = Projects(
        store, remerging, settings.gpu, settings.backbones.of("multiclass"),
        settings.detectors.split("+"),
    )  # fmt: skip
    starting = StartingOver(store)
    data = DataSources(
        store, projects, Vault(settings.vault_key),
        Guard(settings.allow_folders, settings.allow_endpoints),
    )  # fmt: skip
    refreshing = Refreshing(
        store, data, blobs, cache, import_pool.call, settings.data_dir / "refreshing"
    )
    data.rescheduled = refreshing.rescheduled
    referenced = Referenced(store, data, blobs, cache, import_pool.call)
    boards = Boards(store)
    assigning = Assigning(store, projects)
    assignments = Assignments(store)
    paths = Paths(
        settings.data_dir / "features",
        settings.models,
        settings.data_dir / "rounds",
        picture,
        referenced.ready,
    )
    rounds = Rounds(
        store, boards, Runner(ml_pool), paths, settings.backbones, settings.threads,
        settings.allow_download,
    )  # fmt: skip
    skills = Skills(store, boards, remerging, Runner(import_pool), paths.rounds)
    importing = Importing(
        store, projects, blobs, import_pool.call, settings.data_dir / "uploads",
        settings.upload_max_bytes,
    )  # fmt: skip
    classes = Classes(store, projects, remerging, starting)
    label_imports = LabelImports(
        store, projects, classes, import_pool.call, settings.data_dir / "label-imports"
    )
    exports = Exports(
        store, projects, Runner(import_pool), settings.data_dir / "exports",
        [blobs.root, settings.cache],
        settings.secret(),
    )  # fmt: skip
    spending = Spending(store)
    timeline = Timeline(store)
    meter = Meter()
    news = News()
    pace = Pace(store)
    supervising = Supervising(store)
    teams = Teams(store, projects)
    dashboard = Dashboard(
        store, boards, projects, assigning.present, rounds.assist, importing.recent,
        skills.estimating, lambda p: remerging.running(p) or supervising.landing(p), spending.rules,
        pace.of, pace.measuring, timeline,
    )  # fmt: skip
    backing_up = BackingUp(settings.data_dir, settings.backup)
    hub = Hub(
        dashboard.stats, dashboard.public_event, dashboard.events_since,
        lambda: {**meter.figures(), "backup": backing_up.figures()}, dashboard.card,
    )  # fmt: skip
    drafts = Drafts(
        store, projects, importing, data, refreshing, blobs, import_pool.call,
        settings.data_dir / "drafts",
    )  # fmt: skip

    async def idle() -> None:
        await importing.idle()
        await refreshing.idle()

    deleting = Deleting(store, projects, blobs, [paths.rounds, settings.data_dir / "exports"], idle)
    review = Review(store, projects)
    bulks = Bulks(store, review)
    webhooks = Webhooks(
        store, Vault(settings.vault_key), Outbound(settings.allow_webhook_hosts), news,
        dashboard.public_event,
    )  # fmt: skip
    erasing = Erasing(store, settings.data_dir / "sending")
    cloning = Cloning(store, projects)
    services = Services(
        accounts=accounts,
        tokens=tokens,
        inviting=Inviting(store),
        identities=Identities(store, accounts, settings.provider),
        erasing=erasing,
        projects=projects,
        instructions=Instructions(store, blobs),
        drafts=drafts,
        cloning=cloning,
        deleting=deleting,
        previewing=Previewing(store),
        classes=classes,
        labeling=Labeling(store, projects),
        assigning=assigning,
        assignments=assignments,
        review=review,
        bulks=bulks,
        prioritizing=Prioritizing(bulks),
        claims=Claims(),
        similar=Similar(store, projects, import_pool.call, paths.store, settings.backbones),
        comments=Comments(store),
        preferences=OwnPreferences(store),
        mine=Mine(store, projects, boards),
        notes=Notes(store),
        gold=Gold(store),
        practising=Practising(store),
        quality=Quality(store, projects),
        pace=pace,
        supervising=supervising,
        teams=teams,
        dashboard=dashboard,
        meter=meter,
        instruments=instruments,
        health=Health(
            store,
            settings.data_dir,
            lambda: {"model": ml_pool.alive, "imports": import_pool.alive},
        ),
        news=news,
        once=Once(store),
        webhooks=webhooks,
        rounds=rounds,
        artifacts=Artifacts(store, projects, Runner(import_pool), paths, settings.backbones),
        importing=importing,
        pictures=Pictures(store, blobs, cache, import_pool.call, referenced),
        data=data,
        refreshing=refreshing,
        exporting=Exporting(store, projects),
        exports=exports,
        label_imports=label_imports,
    )
    # In this order: boards first, since the others read them.
    for listener in (
        meter.on_events, instruments.on_events, boards.on_events, spending.on_events,
        timeline.on_events, dashboard.on_events, assigning.on_events, rounds.on_events,
        skills.on_events, pace.on_events, hub.on_events, news.on_events,
    ):  # fmt: skip
        bus.listen(listener)
    # Changes that are in no event reach the dashboards too.
    for service in (rounds, skills, remerging, starting, supervising, pace, importing):
        service.changed = hub.stats_changed
    assigning.presence_changed = hub.stats_changed
    tokens.ended = lambda token_id: hub.end_door(f"token:{token_id}")
    accounts.ended, accounts.gone = hub.end_door, hub.end_sessions
    accounts.demoted = hub.end_person

    def erased(user_id: str, project_ids: list[str]) -> None:
        projects.forget_roles()
        hub.end_person(user_id)
        for project_id in project_ids:
            assigning.expel(project_id, user_id)

    erasing.gone = erased
    # What else follows from another role, the hub sees in the log.
    projects.less = teams.less = lambda project_id, user_id, role: assigning.expel(
        project_id, user_id
    )
    teams.regrouped = assigning.regrouped
    app.state.door = oidc.Door(settings.provider, settings.secret()) if settings.provider else None
    app.state.metrics_token = settings.metrics_token
    app.state.metrics_local = settings.metrics_local
    _watch_states(instruments, settings, store, hub, backing_up)
    app.state.services, app.state.hub, app.state.version = services, hub, __version__

    await projects.load()
    await asyncio.to_thread(BlobStore(settings.cache).sweep)
    for part in (
        timeline, assigning, assignments, importing, exports, refreshing, label_imports, rounds,
        skills, remerging, starting, deleting, erasing, drafts, cloning, supervising, pace,
    ):  # fmt: skip
        await part.start()
    if not await accounts.has_admin():
        accounts.setup_token = secrets.token_urlsafe(24)
        app.state.setup_token = accounts.setup_token
        print(
            "\nFirst start: make the first admin (this link works once):\n"
            f"  {settings.url}/setup?token={accounts.setup_token}\n",
            flush=True,
        )
    elif sys.stdout.isatty():  # somebody waits for a word; a log need not have it
        print(f"Chorus: {settings.url} (data in {settings.data_dir}; Ctrl-C ends it)", flush=True)
    await webhooks.start()
    await backing_up.start()
    ticker = asyncio.ensure_future(assigning.run())
    watcher = asyncio.ensure_future(accounts.watch(hub.users))
    sweeper = asyncio.ensure_future(collecting.run(lambda: store.waiting > 0))
    try:
        yield
    finally:
        ticker.cancel()
        watcher.cancel()
        sweeper.cancel()
        news.end()
        await backing_up.stop()
        await webhooks.stop()
        await rounds.stop()
        await skills.stop()
        await assignments.stop()
        await asyncio.gather(
            bulks.stop(), starting.stop(), deleting.stop(), erasing.stop(), cloning.stop(),
            supervising.stop(), remerging.stop(), timeline.stop(), pace.stop(),
        )  # fmt: skip
        await refreshing.stop()
        await asyncio.gather(importing.stop(), exports.stop(), label_imports.stop())
        await store.close()
        await asyncio.gather(ml_pool.close(), import_pool.close())


def _watch_states(
    instruments: Instruments, settings: Settings, store: SqliteStore, hub: Hub,
    backing_up: BackingUp,
) -> None:  # fmt: skip
    """What is looked at when Prometheus asks."""
    log_file = settings.database.with_name(f"{settings.database.name}-wal")
    for name, says, look in (
        ("chorus_people", "People with an open socket.", hub.people),
        (
            "chorus_write_queue",
            "Writes that wait for the writer, or for their commit.",
            lambda: store.waiting,
        ),
        ("chorus_database_bytes", "Size of the database.", lambda: _size(settings.database)),
        ("chorus_wal_bytes", "Size of its write-ahead log.", lambda: _size(log_file)),
        (
            "chorus_checkpoint_failing",
            "1: that log could not be folded into the database last time.",
            lambda: store.checkpoints.failing is not None,
        ),
        (
            "chorus_disk_free_bytes",
            "Free where the data lies.",
            lambda: shutil.disk_usage(settings.data_dir).free,
        ),
        (
            "chorus_backup_timestamp_seconds",
            "When the newest backup by --backup-to was made, in seconds since 1970; 0: none.",
            lambda: ((backing_up.figures() or {}).get("at") or 0) / 1000,
        ),
    ):
        instruments.gauge(name, says, look)
    instruments.gauges("chorus_sockets", "Open websockets, by role.", ["role"], hub.by_role)


def _size(path: Path) -> int:
    return path.stat().st_size
