"""Whether songs can be made from a release: asked by `rhapsody doctor`, and before a rollback publishes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import DamagedArtifactError, InputError, MissingExtraError, RefusedError, RhapsodyError
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.recipe import ARTIFACTS, BUILD_AGAIN
from rhapsody_lib.release import Release, check_found

#: Parts looked for at once: on S3 each is a request.
_FOUND_AT_ONCE = 16


@dataclass(frozen=True)
class Opened:
    """What came of opening all that songs are made from.

    Attributes:
        problems: why songs cannot be made, a phrase each.
        not_opened: what was only verified, for this machine lacks what opens it; with what it lacks.
    """

    problems: tuple[str, ...]
    not_opened: tuple[str, ...]


def missing_pieces(store: Store, release: Release) -> list[str]:
    """What the store lacks of a release, a phrase for each artifact; nothing is fetched, no digest is compared.

    Raises:
        StoreError: the store does not answer.
    """
    return [f"its {kind} {lack}" for kind, ref in release.refs.items() if (lack := _lack(store, ref))]


def _lack(store: Store, ref: ArtifactRef) -> str:
    place = store.path_of(ARTIFACTS, ref.kind, ref.key)
    if store.find(ref.kind, ref.key) is None:
        return f"is missing ({place})"
    try:
        manifest, parts = store.manifest(ref), store.parts(ref)
    except DamagedArtifactError as error:
        return f"is damaged ({_phrase(error)})"
    sizes = {entry.name: entry.size_bytes for entry in store.listing(ARTIFACTS, ref.kind, ref.key, manifest["data"])}
    for name, entry in manifest["files"].items():
        if sizes.get(name) != entry["bytes"]:
            return f"{'is damaged' if name in sizes else 'is missing a file'} ({place}/{manifest['data']}/{name})"
    with ThreadPoolExecutor(_FOUND_AT_ONCE) as pool:
        found = list(pool.map(lambda part: store.find(*part), parts))
    gone = [part for part, ref_or_none in zip(parts, found, strict=True) if ref_or_none is None]
    return f"is missing a part ({store.path_of(ARTIFACTS, *gone[0])})" if gone else ""


def _phrase(error: Exception) -> str:
    """What is wrong, without the remedy: who asks has one of their own."""
    return str(error).removesuffix(BUILD_AGAIN).rstrip().removesuffix(".")


def open_release(store: Store, release: Release) -> Opened:
    """Fetch a release, compare every digest, and open what making a song opens.

    What is found damaged in a remote store is set aside, as by a song that meets it, so that it is made again.

    Raises:
        StoreError: the store does not answer, or there is no room for the files.
    """
    problems, not_opened = [], []
    loaded: dict[str, Any] = {}
    for kind, load in _loads(store, release, loaded):
        try:
            store.fetch(release.refs[kind])
            loaded[kind] = load()
        except (DamagedArtifactError, InputError) as error:
            problems.append(f"its {kind}: {_phrase(error)}")
        except (MissingExtraError, ImportError) as error:
            not_opened.append(f"{kind} ({_phrase(error)})")
        except RhapsodyError:
            raise
        except Exception as error:  # an older format may fail in any way, and does so in a song too
            problems.append(f"its {kind} cannot be opened ({type(error).__name__}: {_phrase(error)})")
    return Opened(tuple(problems), tuple(not_opened))


def _loads(store: Store, release: Release, loaded: dict[str, Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each kind of artifact, and what opens it; `loaded` are those opened before."""
    refs = release.refs

    def corpus() -> None:
        from rhapsody_lib.corpus.schema import TRACKS_FILE
        from rhapsody_lib.operations.tracks import Tracks

        Tracks(store.fetch(refs["corpus"]) / TRACKS_FILE).midi(None)

    def lyrics() -> None:
        from rhapsody_lib.lyrics.model import LyricsModel

        LyricsModel.load(store.fetch(refs["lyrics"]))

    def encoder() -> Any:
        from rhapsody_lib.retrieval.serving import Encoder

        return Encoder.load(store.fetch(refs["encoder"]))

    def backing() -> None:
        from rhapsody_lib.backing.copying import MELODIES_FILE, MelodyIndex
        from rhapsody_lib.backing.model import BackingModel

        folder = store.fetch(refs["backing"])
        BackingModel.load(folder)
        MelodyIndex.load(folder / MELODIES_FILE)

    yield from (("corpus", corpus), ("lyrics", lyrics), ("encoder", encoder))
    yield "catalogue", lambda: _open_catalogue(store, refs["catalogue"], loaded.get("encoder"))
    yield "backing", backing


def _open_catalogue(store: Store, ref: ArtifactRef, encoder: Any) -> None:
    from rhapsody_lib.retrieval.layout import LEXICON_FILE
    from rhapsody_lib.retrieval.search import check_encoder

    catalogue = open_catalogue(store, ref)
    # Of a remote store only what every search reads: the stanzas are read in parts, each with a digest of its own.
    names = () if store.is_local else (LEXICON_FILE,)
    for part in store.parts(ref):
        store.fetch(store.part(*part), names)
    if encoder is not None:
        check_encoder(catalogue, encoder)


def check_usable(store: Store, release: Release) -> Opened:
    """Do nothing if songs can be made from a release, as far as this machine can tell.

    Raises:
        InputError: an artifact is no longer in the store.
        RefusedError: one is damaged, or of a format that this version does not read.
        StoreError: the store does not answer, or there is no room for the files.
    """
    check_found(store, release)
    opened = open_release(store, release)
    if opened.problems:
        raise RefusedError(
            f"No song can be made from release {release.number}: {'; '.join(opened.problems)}. Nothing was published. "
            "Go back to another release ('rhapsody releases list'), or publish this one all the same with --force."
        )
    return opened
