"""Which pictures a demo shows: the emoji, or a folder of the user's."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from chorus.demo import emoji
from chorus.simulate.answers import Truth, read_gold
from chorus.simulate.options import BadOptions

INSTRUCTIONS = """\
### Which kind of emoji is it?

Pick the group in which a phone's keyboard would show it.

- **Keys 1–9** label the focused picture, and the focus moves on. **Enter** sends the page.
- **A** selects all; then one key labels them all. **Space** takes one out.
- Not sure? **S** skips. A slip? **U** undoes.

*People & Body* are hands, bodies and persons; *Smileys & Emotion* are faces and hearts.
*Objects* are things at home and at work; *Symbols* are signs.
"""

OWN_INSTRUCTIONS = """\
Label each picture with the class that fits best. **S** skips what you cannot tell.

A supervisor changes these instructions, and the classes, in the project's settings.
"""


class Pictures(Struct):
    name: str
    folder: Path
    truth: Truth | None
    """Known answers, so that colleagues can work; None where nobody knows them."""
    classes: list[str]
    instructions: str


def emoji_pictures(out: Path) -> Pictures:
    """The emoji of the npm package, prepared at the first run."""
    if not (out / "gold.csv").exists():
        emoji.prepare(out)
    pictures = own_pictures(out)
    pictures.name, pictures.instructions = "Emoji", INSTRUCTIONS
    return pictures


def own_pictures(data: Path) -> Pictures:
    """A user's folder; `gold.csv` (item,label) in it or beside it. Raises `BadOptions`."""
    if not data.is_dir():
        raise BadOptions(f"there is no folder {data}")
    folder = data / "images" if (data / "images").is_dir() else data
    for place in (data / "gold.csv", data.parent / "gold.csv"):
        if place.is_file():
            truth = Truth(read_gold(place))
            return Pictures(data.name, folder, truth, sorted(truth.labels), OWN_INSTRUCTIONS)
    # A folder per class is how many people keep their pictures.
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(classes) < 2:
        classes = ["yes", "no"]
    return Pictures(data.name, folder, None, classes, OWN_INSTRUCTIONS)
