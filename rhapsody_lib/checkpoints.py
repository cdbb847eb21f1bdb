"""States of trainings, kept in the store after each epoch, so that a killed run goes on from there on any worker.

A state is one safetensors file `checkpoints/<kind>-<key>/<epoch>-<digest>.safetensors`, named by its contents: it is
never overwritten by another, and what was cut short or damaged is told by its name. The last two epochs are kept, so
that where the newest is bad the run goes on from the one before. All are removed once the artifact is published.
"""

from __future__ import annotations

import logging
import platform
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.errors import StoreError
from rhapsody_lib.hashing import file_sha256
from rhapsody_lib.objects import flush, process_name

logger = logging.getLogger(__name__)

FOLDER = "checkpoints"
EPOCHS_KEPT = 2
#: After so long without a new state, a worker's own copies are of no use.
FORGOTTEN_S = 30 * 86_400.0
_NAME = re.compile(r"(\d{6})-([0-9a-f]{16})\.safetensors")
#: Instruction sets by which the numerical libraries choose their kernels.
_INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")


class Checkpoint:
    """The states of one training: in a local folder and, where there is a store elsewhere, in the store too.

    A store that does not answer delays a training but never ends it: the state stays in the local folder, and the next
    epoch tries again.

    Args:
        folder: local folder; made when the first state is saved.
        store: a store that is not on this machine's disks.
        name: the training's folder in it.
    """

    def __init__(self, folder: Path, store: Store | None = None, name: str = "") -> None:
        self._folder, self._store, self._parts = folder, store, (FOLDER, name)

    @classmethod
    def of(cls, store: Store, recipe: Recipe) -> Checkpoint:
        """The states of the training that makes the artifact of a recipe."""
        name = f"{recipe.kind}-{recipe.key}"
        if store.is_local:
            return cls(Path(store.path_of(FOLDER, name)))
        return cls(store.scratch / FOLDER / name, store, name)

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
        if self._store is None:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._draft()
        try:
            self._store.get_file(draft, *self._parts, name)
            draft.replace(self._folder / name)
        except FileNotFoundError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        return _intact(self._folder / name)

    def _local_names(self) -> set[str]:
        return _states(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else set()

    def _remote_names(self) -> set[str]:
        return set() if self._store is None else _states(entry.name for entry in self._store.listing(*self._parts))

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
        if self._store is None:
            return
        try:
            self._store.put_file(self._folder / name, *self._parts, name)
            for old in _outdated(self._remote_names()):
                self._store.remove(*self._parts, old)
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
        try:
            shutil.rmtree(self._folder, ignore_errors=True)
            if self._store is not None:
                self._remove_forgotten()
                self._store.remove(*self._parts)
        except (OSError, StoreError) as error:
            logger.info("Saved states of a finished training were left behind: %s", error)

    def _remove_forgotten(self) -> None:
        """Remove local states of trainings that another worker went on with and published."""
        for folder in self._folder.parent.iterdir() if self._folder.parent.is_dir() else ():
            if time.time() - folder.stat().st_mtime > FORGOTTEN_S:
                shutil.rmtree(folder, ignore_errors=True)

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


def tell_of_going_on(training: str, epoch: int, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Log that a training goes on, and in what this machine differs from the one that saved the state, if in anything.

    Kernels of other processors and other versions add in another order: the weights then differ from those of an
    uninterrupted run (docs/decisions/0018 says by how much).
    """
    logger.info("%s: going on after epoch %d", training, epoch)
    changes = [f"{name} {then.get(name, 'unknown')} -> {now[name]}" for name in now if then.get(name) != now[name]]
    if changes:
        logger.warning(
            "%s: goes on after epoch %d on another kind of machine (%s): the weights will not be bit for bit those of "
            "an uninterrupted run.",
            training,
            epoch,
            "; ".join(changes),
        )
