"""Data sources and backups against a server that speaks as Azure's storage does.

Azurite is 360 MB of JavaScript, so only `make azure` installs it; without it these are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chorus.server.storage.azure import container_sas
from tests.azure.azurite import ACCOUNT, KEY, PROGRAM, Azure, azure
from tests.faults.test_backup import chorus
from tests.servers import Bench, page_of, pictures, vote_page
from tests.sources import Sources, count, drawn, files

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="Azurite is not here: make azure")
ODD = [
    "a space.png", "Käfer.png", "日本.png", "e\u0301.png", "100%.png", "a%20b.png", "a+b.png",
    "a&b=c.png", "a#b?.png", "it's.png", "(1).png", "[x]*.png", "~tilde.png",
]  # fmt: skip
"""Names that some step on the way could take for something else."""


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with azure(tmp_path_factory.mktemp("azurite")) as found:
        yield found


def at(storage: Azure, container: str, **more: Any) -> dict[str, Any]:
    return {
        "url": f"az://{container}/day", "endpoint": storage.url, "account": ACCOUNT,
        "credentials": {"account_key": KEY}, **more,
    }  # fmt: skip


def token(container: str) -> str:
    """A SAS token as its owner would give it away: to list, and to read."""
    until = datetime.now(UTC) + timedelta(hours=1)
    return container_sas(ACCOUNT, container, KEY, until, may="rl")


@pytest.mark.parametrize("mode", ["copy", "reference"])
@pytest.mark.parametrize("by", ["account_key", "sas_token"])
async def test_pictures_come_in_whatever_they_are_called(
    project: Sources, storage: Azure, mode: str, by: str
) -> None:
    container = f"pictures-{mode}-{by.partition('_')[0]}"
    odd = {f"day/{name}": drawn(50 + n) for n, name in enumerate(ODD)}
    storage.make(container, {**files(20), **odd})
    given = {"account_key": KEY} if by == "account_key" else {"sas_token": token(container)}
    where = at(storage, container, mode=mode, credentials=given)
    tested = await project.ask("POST", "/test", where)
    assert tested["message"] == f"It works: {20 + len(ODD)} pictures."
    source = (await project.ask("POST", body=where))["source_id"]
    last = await project.refreshed(source)
    assert count(last, "added", "faulty") == [20 + len(ODD), 0], last
    items = await project.items()
    assert sorted(items) == sorted([*(f"{n:03}.png" for n in range(20)), *ODD])
    for n, name in enumerate(ODD):
        image = await project.get(items[name]["image"])
        assert image.status_code == 200
        if mode == "copy":
            assert image.content == drawn(50 + n)


async def test_what_is_wrong_is_said(project: Sources, storage: Azure) -> None:
    storage.make("some", files(3))

    async def said(**how: Any) -> str:
        return str((await project.ask("POST", "/test", at(storage, "some", **how)))["message"])

    assert await said(url="az://none/day") == "There is no container none."
    denied = "No permission to read the container some with these credentials."
    assert await said(credentials={}) == denied
    assert await said(credentials={"account_key": KEY[:-8] + "AAAAAA=="}) == denied
    assert await said(credentials={"sas_token": token("other")}) == denied
    assert "damaged" in await said(credentials={"account_key": "no base64"})


async def test_a_backup(
    bench: Bench, storage: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.make("backups", {})
    for name, value in {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": storage.url, "AZURE_ALLOW_HTTP": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    to, data = "az://backups/of/chorus", bench.server.process.data_dir
    await bench.make(pictures(tmp_path / "pictures", 6), page_size=4)
    first = await chorus("backup", "make", to, "--data-dir", data)
    stream = await bench.labeler(credit=1)
    await vote_page(stream, await page_of(stream))
    second = await chorus("backup", "make", to, "--data-dir", data, "--keep", "1")
    assert second["new_bytes"] < first["new_bytes"] + second["database_bytes"]
    assert await chorus("backup", "verify", to, "--all") == {second["snapshot_id"]: []}
    await chorus("restore", to, "--data-dir", tmp_path / "restored")
    assert (tmp_path / "restored" / "chorus.sqlite").exists()
