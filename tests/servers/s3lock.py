"""A filter in Swift's pipeline: conditional PUTs of one path take turns, so that `If-None-Match: *` is atomic.

Runs inside Swift's own virtual environment. Swift checks the condition before it takes the body, so that two at once
could both win; AWS, Ceph and MinIO have no such gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class TakeTurns:
    """The filter: one semaphore a path, dropped when nobody waits for it."""

    def __init__(self, application: Application) -> None:
        from eventlet.semaphore import Semaphore  # type: ignore[import-not-found]

        self._application = application
        self._waiting: dict[str, list[Any]] = defaultdict(lambda: [Semaphore(1), 0])

    def __call__(self, environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "HTTP_IF_NONE_MATCH" not in environment or environment["REQUEST_METHOD"] not in ("PUT", "POST"):
            return self._application(environment, start_response)
        path = environment["PATH_INFO"]
        entry = self._waiting[path]
        entry[1] += 1
        try:
            with entry[0]:
                return list(self._application(environment, start_response))
        finally:
            entry[1] -= 1
            if not entry[1]:
                self._waiting.pop(path, None)


def filter_factory(_global_conf: dict[str, str], **_local_conf: str) -> Callable[[Application], Application]:
    """What Paste Deployment calls."""
    return TakeTurns
