"""All that msgspec has to know of our types, known before there is a second thread.

msgspec (0.22) works that out when it first decodes into a type, and lets other threads see it while
it is half done: one that decodes into the same type at that moment ends the whole process by a null
pointer. The writer, the readers and the event loop do so when a server starts.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec


def warm_up() -> None:
    """Of every `Struct` that has been imported from this package, with all that is in it."""
    todo = [msgspec.Struct]
    while todo:
        for struct in todo.pop().__subclasses__():
            todo.append(struct)
            if struct.__module__.startswith("chorus."):
                # (What nothing can be decoded into says so here, and is not.)
                with suppress(TypeError, NameError):
                    msgspec.json.Decoder(struct)
