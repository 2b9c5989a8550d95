"""The demo's default pictures: Google's emoji, from the npm package that set-up fetches.

Their nine categories are the label classes. The pictures are Noto Emoji (Apache License 2.0).
"""

from __future__ import annotations

import csv
import shutil
import uuid
from pathlib import Path

import msgspec
from PIL import Image

PACKAGE = Path(__file__).parent / "node_modules" / "emoji-datasource-google"
GOLD = "gold.csv"
_LEFT_OUT = frozenset({"Component"})  # skin tone swatches, no emoji of their own


class NoPictures(Exception):
    """The pictures are not here; the message says how to get them."""


class _Emoji(msgspec.Struct):
    """One entry of emoji.json. Skin tones are nested in it, so they do not appear."""

    image: str
    category: str
    sort_order: int
    has_img_google: bool


def prepare(out: Path, package: Path | None = None) -> int:
    """Fill folder `out` with the 64 px pictures (opaque RGB PNG) and `gold.csv`; their number.

    `gold.csv` has the columns item (file name) and label (category). `out` appears whole or not
    at all; one that is there already is left as it is. `package`: the unpacked npm package
    (default: where set-up puts it). The same package gives the same bytes. Raises `NoPictures`
    when the package is not there, `FileExistsError` when `out` is some other folder.
    """
    if (out / GOLD).is_file():
        with (out / GOLD).open(newline="", encoding="utf-8") as file:
            return sum(1 for _ in csv.DictReader(file))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} is there and holds something else than the demo's pictures")
    entries = _entries(package or PACKAGE)
    part = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    part.mkdir(parents=True)
    try:
        with (part / GOLD).open("w", newline="", encoding="utf-8") as file:
            gold = csv.writer(file, lineterminator="\n")
            gold.writerow(["item", "label"])
            for source, category in entries:
                _opaque(source).save(part / source.name, "PNG")
                gold.writerow([source.name, category])
        if out.exists():
            out.rmdir()
        part.rename(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return len(entries)


def _entries(package: Path) -> list[tuple[Path, str]]:
    """(picture, category) in the order of the emoji keyboard."""
    index = package / "emoji.json"
    if not index.is_file():
        raise NoPictures(
            f"the demo's pictures are not in {package}. In a checkout, `make setup` fetches them;"
            " or name a folder of your own pictures: chorus demo --data FOLDER"
        )
    emojis = msgspec.json.decode(index.read_bytes(), type=list[_Emoji])
    emojis.sort(key=lambda emoji: (emoji.sort_order, emoji.image))
    found = (
        (package / "img" / "google" / "64" / emoji.image, emoji.category)
        for emoji in emojis
        if emoji.has_img_google and emoji.category not in _LEFT_OUT
    )
    return [(picture, category) for picture, category in found if picture.is_file()]


def _opaque(picture: Path) -> Image.Image:
    """RGB on white: what is transparent would come out black in a model's eyes."""
    with Image.open(picture) as file:
        image = file.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")
