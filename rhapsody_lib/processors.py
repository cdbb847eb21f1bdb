"""How many processors this process may use."""

from __future__ import annotations

import os


def available_processors() -> int:
    """Processors that this process may run on, 1 at least."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
