"""How long strangers' bytes may keep a worker process busy."""

from __future__ import annotations

import contextlib
import math
import resource
import time
from collections.abc import Iterator


@contextlib.contextmanager
def processor_seconds(most: float) -> Iterator[None]:
    """Within it this process may use so many seconds of processor time (rounded up to whole ones,
    all threads together). The system ends one that goes on, by SIGXCPU: in a decoder written in C
    nothing else would. Unlike a wait by the clock it is the same on a busy machine.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    last = math.ceil(time.process_time() + most)
    for limit in (soft, hard):
        last = last if limit == resource.RLIM_INFINITY else min(last, limit)
    resource.setrlimit(resource.RLIMIT_CPU, (last, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
