"""Who uses which artifact, so that garbage collection leaves it alone.

Whoever is about to read an artifact, or to build it, first writes the small object `uses/<kind>-<key>.json`, and a
thread renews it while the process lives. Its age by the store's own clock says when the artifact was last in use, from
whatever machine (docs/decisions/0015).
"""

from __future__ import annotations

import logging
import os
import platform
import threading
from datetime import datetime, timezone
from pathlib import Path

from rhapsody_lib.errors import StoreAccessError
from rhapsody_lib.lineage import builder
from rhapsody_lib.objects import ObjectStore
from rhapsody_lib.recipe import canonical_json
from rhapsody_lib.remote import failures

logger = logging.getLogger(__name__)

FOLDER = "uses"
#: How often the uses of a living process are renewed.
RENEWAL_S = 600.0

#: What this process uses, by store; and which process started the thread that renews it.
_in_use: dict[tuple[str, str], ObjectStore] = {}
_renewing_pid = 0
_starting = threading.Lock()


def use_name(kind: str, key: str) -> str:
    """Name of the object below `uses/` that says when an artifact was last used."""
    return f"{kind}-{key}.json"


def mark_used(store: ObjectStore, kind: str, key: str) -> None:
    """Say that this process uses an artifact, from now until it ends. A store that may only be read is left alone.

    Raises:
        StoreError: the store does not answer.
    """
    name = use_name(kind, key)
    if (store.root, name) in _in_use and _renewing_pid == os.getpid():
        return
    try:
        store.write(_body(), FOLDER, name)
    except StoreAccessError as error:
        logger.debug("%s: %s", name, error)
        return
    _in_use[store.root, name] = store
    _start()


def _body() -> bytes:
    facts = {"host": platform.node(), "process": os.getpid(), "at": _now(), **builder.get()}
    return canonical_json(facts).encode()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _start() -> None:
    global _renewing_pid  # noqa: PLW0603  (a forked child has no threads and starts its own)
    with _starting:
        if _renewing_pid != os.getpid():
            _renewing_pid = os.getpid()
            threading.Thread(target=_renew_for_ever, name="rhapsody-uses", daemon=True).start()


def _renew_for_ever() -> None:
    pause = threading.Event()
    while not pause.wait(RENEWAL_S):
        renew()


def renew() -> None:
    """Renew every use of this process once. What fails is left to the next time."""
    for (_, name), store in list(_in_use.items()):
        if store.is_local and not Path(store.path_of(FOLDER)).is_dir():
            _in_use.pop((store.root, name), None)  # the whole store was removed
            continue
        try:
            store.fs.pipe_file(store.path_of(FOLDER, name), _body())
        except failures() as error:
            logger.debug("%s: cannot be renewed (%s)", name, error)
