"""How a finished folder becomes an artifact that everybody sees: all of it, or nothing."""

from __future__ import annotations

import hashlib
import uuid
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rhapsody_lib.errors import StoreError
from rhapsody_lib.lineage import PROVENANCE, Provenance
from rhapsody_lib.objects import ObjectStore, flush
from rhapsody_lib.recipe import ARTIFACTS, DAMAGED, MANIFEST, ArtifactRef, Recipe, canonical_json
from rhapsody_lib.transfer import put_all, sha256_of_all

if TYPE_CHECKING:
    from rhapsody_lib.artifacts import Store


def publish(store: Store, recipe: Recipe, folder: Path, story: Provenance) -> ArtifactRef:
    """Publish the files below `folder/data` as the artifact of a recipe, unless another was first.

    The files come first, then the manifest, create-only, and then whoever put the manifest says who made it. So a
    crash leaves files that nobody sees, or an artifact that does not say who made it; never one that says it wrongly.

    Raises:
        StoreError: the store cannot be written.
    """
    data = folder / "data"
    files = _files_of(data)
    # The data folder is named by its contents: two builders whose bytes differ never write the same object.
    contents = hashlib.sha256(canonical_json(files).encode()).hexdigest()[:16]
    body = {"recipe": asdict(recipe), "key": recipe.key, "data": contents, "files": files}
    manifest, provenance = canonical_json(body).encode(), canonical_json(asdict(story)).encode()
    target = (ARTIFACTS, recipe.kind, recipe.key)
    if store.is_local:
        data.rename(folder / contents)
        (folder / MANIFEST).write_bytes(manifest)
        (folder / PROVENANCE).write_bytes(provenance)
        for name in (*(f"{contents}/{name}" for name in files), MANIFEST):
            flush(folder / name)
        store.remote(f"publish {'/'.join(target)}", _move_into_place, store, folder, recipe)
    else:
        put_all(store, data, files, (*target, contents))
        if store.put_if_absent(manifest, *target, MANIFEST):
            with suppress(StoreError):  # the artifact is there, whether or not it says who made it
                store.put_if_absent(provenance, *target, PROVENANCE)
    ref = store.find(recipe.kind, recipe.key)
    if ref is None:
        raise StoreError(f"{store.root}: the manifest of '{recipe.kind}' vanished while it was published.")
    return ref


def _move_into_place(store: Store, folder: Path, recipe: Recipe) -> None:
    """Rename a finished folder to its final name: atomic, and nothing happens if another published first."""
    target = Path(store.path_of(ARTIFACTS, recipe.kind, recipe.key))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and store.find(recipe.kind, recipe.key) is None:
        set_aside(store, recipe.kind, recipe.key, seen=None)
    try:
        folder.rename(target)
    except OSError:
        if store.find(recipe.kind, recipe.key) is None:
            raise


def set_aside(store: ObjectStore, kind: str, key: str, *, seen: datetime | None) -> None:
    """Put a damaged artifact out of the way, for a person to look at, so that it can be built again.

    Others may have done so meanwhile, and built it again with the very same bytes: what they made is left alone. In a
    remote store the files stay where they are, without a manifest: nobody reads them, whoever builds the same bytes
    writes over them, and garbage collection takes the rest. So nothing that is being put can be removed from under it.

    Args:
        store: where.
        kind: of the artifact.
        key: of the artifact.
        seen: when the manifest was written that was there before the damage was found; None: there was none.

    Raises:
        StoreError: the store does not answer or forbids it.
    """
    source, target = (ARTIFACTS, kind, key), (DAMAGED, f"{kind}-{key[:12]}-{uuid.uuid4().hex[:8]}")

    def unchanged() -> bool:
        return store.modified(*source, MANIFEST) == seen

    if not unchanged():
        return
    if store.is_local:
        with suppress(FileNotFoundError):  # another process did
            store.rename(source, target)
        return
    store.copy(source, target)
    if not unchanged():
        store.remove(*target)
        return
    store.remove(*source, PROVENANCE)
    store.remove(*source, MANIFEST)


def _files_of(data: Path) -> dict[str, dict[str, Any]]:
    """Size and digest of each file of a folder, by name."""
    names = sorted(path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file())
    for name in names:
        (data / name).chmod(0o644)  # safetensors writes 0600, which shuts out whoever shares the store
    digests = sha256_of_all(data, names)
    return {name: {"bytes": (data / name).stat().st_size, "sha256": digests[name]} for name in names}
