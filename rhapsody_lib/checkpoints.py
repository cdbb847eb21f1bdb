"""States of trainings, kept in the store after each epoch, so that a killed run goes on from there on any worker.

A state is one safetensors file `checkpoints/<kind>-<key>/<epoch>-<digest>.safetensors`, named by its contents: it is
never overwritten by another, and what was cut short or damaged is told by its name. The last two epochs are kept, so
that where the newest is bad the run goes on from the one before. All are removed once the artifact is published.
"""

from __future__ import annotations

import logging
import platform
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.errors import StoreError
from rhapsody_lib.hashing import file_sha256
from rhapsody_lib.objects import flush, process_name
from rhapsody_lib.remote import call

logger = logging.getLogger(__name__)

FOLDER = "checkpoints"
EPOCHS_KEPT = 2
_NAME = re.compile(r"(\d{6})-([0-9a-f]{16})\.safetensors")
#: Instruction sets by which the numerical libraries choose their kernels.
_INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")


class _StoreFolder:
    """One folder of a store, with the store's retries."""

    def __init__(self, store: Store, *parts: str) -> None:
        self._store, self._folder = store, store.path_of(*parts)

    def names(self) -> list[str]:
        """Names of the files in the folder."""
        found = call(self._store.root, "list saved states", self._store.fs.glob, f"{self._folder}/*")
        return [str(path).rsplit("/", 1)[-1] for path in found]

    def put(self, path: Path) -> None:
        """Put a file under its own name."""
        call(self._store.root, "save a state", self._store.fs.put_file, str(path), f"{self._folder}/{path.name}")

    def get(self, name: str, target: Path) -> bool:
        """Get a file; tells whether there is one."""
        try:
            call(self._store.root, "fetch a state", self._store.fs.get_file, f"{self._folder}/{name}", str(target))
        except FileNotFoundError:
            return False
        return True

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; one that is gone already is no error."""
        for name in names:
            with suppress(FileNotFoundError):
                call(self._store.root, "remove a state", self._store.fs.rm_file, f"{self._folder}/{name}")


class Checkpoint:
    """The states of one training: in a local folder and, where there is a store elsewhere, in the store too.

    A store that does not answer delays a training but never ends it: the state stays in the local folder, and the next
    epoch tries again.

    Args:
        folder: local folder; made when the first state is saved.
        remote: the folder in a store that is not on this machine's disks.
    """

    def __init__(self, folder: Path, remote: _StoreFolder | None = None) -> None:
        self._folder, self._remote = folder, remote

    @classmethod
    def of(cls, store: Store, recipe: Recipe) -> Checkpoint:
        """The states of the training that makes the artifact of a recipe."""
        name = f"{recipe.kind}-{recipe.key}"
        if store.is_local:
            return cls(Path(store.path_of(FOLDER, name)))
        return cls(store.scratch / FOLDER / name, _StoreFolder(store, FOLDER, name))

    @classmethod
    def local(cls, folder: Path) -> Checkpoint:
        """States in a local folder alone."""
        return cls(folder)

    # -- reading ------------------------------------------------------------------------------------------------------

    def latest(self) -> Path | None:
        """The newest state whose contents are what its name says; none where there is none.

        Raises:
            StoreError: the store does not answer.
        """
        local, remote = self._local_names(), self._remote_names()
        for name in sorted({*local, *remote}, reverse=True):
            path = self._folder / name
            if name in local and _intact(path):
                return path
            if name in remote and self._fetched(name):
                return path
            logger.warning("The saved state %s is damaged or gone: going on from the one before it.", name)
            path.unlink(missing_ok=True)
        return None

    def _fetched(self, name: str) -> bool:
        """Whether the state is now in the local folder, whole."""
        if self._remote is None:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._draft()
        try:
            if not self._remote.get(name, draft):
                return False
            draft.replace(self._folder / name)
        finally:
            draft.unlink(missing_ok=True)
        return _intact(self._folder / name)

    def _local_names(self) -> set[str]:
        return _states(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else set()

    def _remote_names(self) -> set[str]:
        return set() if self._remote is None else _states(self._remote.names())

    # -- writing ------------------------------------------------------------------------------------------------------

    def save(self, epoch: int, write: Callable[[Path], object]) -> None:
        """Keep the state after an epoch. What goes wrong is logged, and the training goes on.

        Args:
            epoch: epochs done.
            write: writes the state into the file it is given.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = self._write(epoch, write)
            self._remove_local(_outdated(self._local_names()))
        except (OSError, SafetensorError) as error:
            logger.warning("The state after epoch %d could not be saved in %s: %s", epoch, self._folder, error)
            return
        if self._remote is None:
            return
        try:
            self._remote.put(self._folder / name)
            self._remote.remove(_outdated(self._remote_names()))
        except (StoreError, OSError) as error:
            logger.warning(
                "The state after epoch %d stays on this machine, for it did not reach the store: %s "
                "Training goes on; another worker could go on from an earlier epoch only.",
                epoch,
                error,
            )

    def _draft(self) -> Path:
        return self._folder / f"{uuid.uuid4().hex[:8]}-{process_name()}.draft"

    def _write(self, epoch: int, write: Callable[[Path], object]) -> str:
        draft = self._draft()
        try:
            write(draft)
            flush(draft)
            name = f"{epoch:06d}-{file_sha256(draft)[:16]}.safetensors"
            draft.replace(self._folder / name)
        finally:
            draft.unlink(missing_ok=True)
        return name

    def clear(self) -> None:
        """Remove all states, once the artifact is published or if they are of no use."""
        self._remove_local(self._local_names())
        try:
            # What a killed process left half-written is no state, and goes with the folder.
            for path in self._folder.glob("*.draft"):
                path.unlink(missing_ok=True)
            if self._folder.is_dir():
                self._folder.rmdir()
            if self._remote is not None:
                self._remote.remove(self._remote_names())
        except (OSError, StoreError) as error:
            logger.info("Saved states of a finished training were left behind: %s", error)

    def _remove_local(self, names: Iterable[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)


def _states(names: Iterable[str]) -> set[str]:
    return {name for name in names if _NAME.fullmatch(name)}


def _outdated(names: Iterable[str]) -> list[str]:
    """All but those of the last epochs. Two builders whose bytes differ may have one each of the same epoch."""
    kept = sorted({name[:6] for name in names}, reverse=True)[:EPOCHS_KEPT]
    return [name for name in names if name[:6] not in kept]


def _intact(path: Path) -> bool:
    found = _NAME.fullmatch(path.name)
    try:
        return found is not None and file_sha256(path).startswith(found[2])
    except OSError:
        return False


# -- where a state was made --------------------------------------------------------------------------------------------


def processor() -> str:
    """This machine's kind of processor, as far as numerical libraries choose their kernels by it."""
    model, flags = platform.processor() or platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        known = {line.split(":", 1)[0].strip().lower(): line.split(":", 1)[-1].strip() for line in lines if ":" in line}
        model, flags = known.get("model name", model), known.get("flags", known.get("features", ""))
    found = [name for name in _INSTRUCTION_SETS if name in flags.split()]
    return f"{model} ({' '.join(found)})"


def warn_of_another_machine(training: str, epoch: int, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Log in what the machine that goes on differs from the one that saved the state, if in anything.

    Kernels of other processors and other versions add in another order: the weights then differ from those of an
    uninterrupted run (docs/decisions/0018 says by how much).
    """
    changes = [f"{name} {then.get(name, 'unknown')} -> {now[name]}" for name in now if then.get(name) != now[name]]
    if changes:
        logger.warning(
            "%s: goes on after epoch %d on another kind of machine (%s): the weights will not be bit for bit those of "
            "an uninterrupted run.",
            training,
            epoch,
            "; ".join(changes),
        )
