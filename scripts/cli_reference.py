"""`python -m scripts.cli_reference`: docs/cli.md, made from the commands themselves."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
HEAD = """\
# Commands

`python -m scripts.cli_reference` makes this page from the commands themselves, and a test fails
when it is stale. `chorus COMMAND --help` says the same.
"""
WORDS = {int: "number", float: "number", str: "text", Path: "path"}


def root() -> TyperGroup:
    """The `chorus` command with all that belongs to it."""
    from chorus.server.cli import app, mount_others

    mount_others()
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def commands(group: TyperGroup, name: str = "chorus") -> Iterator[tuple[str, TyperCommand]]:
    """Every command that can be run, with its whole name, by name."""
    for word, command in sorted(group.commands.items()):
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{name} {word}")
        else:
            assert isinstance(command, TyperCommand)
            yield f"{name} {word}", command


def page() -> str:
    return "\n".join([HEAD, *(section(name, command) for name, command in commands(root()))])


def section(name: str, command: TyperCommand) -> str:
    arguments = [p for p in command.params if isinstance(p, TyperArgument)]
    options = [p for p in command.params if isinstance(p, TyperOption) and not p.hidden]
    usage = [name, *(_argument(p) for p in arguments), *(["[OPTIONS]"] if options else [])]
    lines = [f"## {name}", "", inspect.cleandoc(command.help or ""), ""]
    lines += ["```text", " ".join(usage), "```", ""]
    if arguments:
        lines += ["| argument | |", "|---|---|"]
        lines += [f"| `{_argument(p)}` | {_cell(p.help)} |" for p in arguments]
        lines.append("")
    if options:
        lines += ["| option | | by itself |", "|---|---|---|"]
        lines += [f"| {_option(p)} | {_cell(p.help)} | {_default(p)} |" for p in options]
        lines.append("")
    return "\n".join(lines)


def _argument(argument: TyperArgument) -> str:
    name = argument.metavar or str(argument.name).upper()
    return name if argument.required else f"[{name}]"


def _option(option: TyperOption) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    if option.secondary_opts:
        names += " or " + ", ".join(f"`{name}`" for name in option.secondary_opts)
    return names if option.is_flag else f"{names} {_kind(option.type_descriptor.annotation)}"


def _kind(annotation: Any) -> str:
    """What stands behind an option: the words to choose from, or what kind of thing it is."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{word}`" for word in inner)
    if origin in (types.UnionType, typing.Union, list):
        return _kind(next(one for one in inner if one is not type(None)))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{one.value}`" for one in annotation)
    return WORDS[annotation]


def _default(option: TyperOption) -> str:
    said = []
    if option.required:
        said.append("must be given")
    elif option.secondary_opts:
        said.append(f"`{(option.opts if option.default else option.secondary_opts)[0]}`")
    elif not option.is_flag and option.default not in (None, [], ()):
        said.append(f"`{option.default}`")
    if option.envvar:
        said.append(f"`{option.envvar}`")
    return ", or ".join(said) if option.required else "; ".join(said)


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def main() -> None:
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
