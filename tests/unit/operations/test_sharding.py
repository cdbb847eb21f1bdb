"""The sharded steps make what the unsharded ones make, go on where they were killed, and make new songs alone."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from rhapsody_lib import garbage, operations, uses
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.corpus import reading
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.operations.sharding import (
    EarlierShard,
    Work,
    earlier_shards,
    in_turn,
    overlapping,
    side_by_side,
    stored_shards,
)
from rhapsody_lib.progress import reporting
from rhapsody_lib.release import RELEASE_KINDS, publish_release
from rhapsody_lib.settings import CorpusSettings, Settings
from tests.trained import songs_folder
from tests.unit.retrieval.conftest import write_encoder

SETTINGS = Settings(corpus=CorpusSettings(heldout_share=0.2))


@pytest.fixture
def songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small songbook in the place of the embedded one, which is read in this process; shards of about three songs."""
    folder = songs_folder(tmp_path / "songbook", each=3)
    monkeypatch.setattr("rhapsody_lib.corpus.sources.EMBEDDED_FOLDER", folder)
    monkeypatch.setattr(reading, "default_workers", lambda: 1)
    monkeypatch.setattr("rhapsody_lib.corpus.shards.SHARD_FILES", 3)
    monkeypatch.setattr("rhapsody_lib.retrieval.shards.SHARD_SONGS", 3)
    return folder


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are parsed."""
    names: list[str] = []
    plain = reading._read_one

    def noted(source, job, parse, manifest):
        names.append(job.name)
        return plain(source, job, parse, manifest)

    monkeypatch.setattr(reading, "_read_one", noted)
    return names


def files(store: str, ref: ArtifactRef) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Store(store).fetch(ref).iterdir()}


def kinds(store: str) -> list[str]:
    return [ref.kind for ref in Store(store).artifacts()]


def prepare(store: Path, **options) -> dict[str, bytes]:
    return files(str(store), operations.prepare_corpus(str(store), SETTINGS, ("songbook",), **options))


def unsharded(store: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    with monkeypatch.context() as patch:
        patch.setattr("rhapsody_lib.corpus.shards.SHARD_FILES", 1000)
        return prepare(store)


def test_the_corpus_does_not_depend_on_the_shards(songs, tmp_path, monkeypatch):
    expected = unsharded(tmp_path / "direct", monkeypatch)
    assert kinds(str(tmp_path / "direct")) == ["corpus"]
    for size in (1, 3, 5):
        monkeypatch.setattr("rhapsody_lib.corpus.shards.SHARD_FILES", size)
        store = tmp_path / f"store-{size}"
        assert prepare(store) == expected
        assert kinds(str(store)).count("songs-shard") > 1


def test_added_songs_alone_are_parsed(songs, tmp_path, parsed, monkeypatch):
    more = songs_folder(tmp_path / "more", each=4)
    new = min({path.name for path in more.iterdir()} - {path.name for path in songs.iterdir()})
    prepare(tmp_path / "store")
    parsed.clear()
    shutil.copy(more / new, songs / "hush.txt")
    grown = prepare(tmp_path / "store")
    assert parsed == ["hush.txt"]
    assert grown == unsharded(tmp_path / "direct", monkeypatch)


def test_a_killed_preparation_goes_on(songs, tmp_path, parsed, monkeypatch):
    def killed(step, work, what):
        in_turn(step, work[:2], what)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "store", spread=killed)
    before = len(parsed)
    assert kinds(str(tmp_path / "store")) == ["songs-shard"] * 2
    resumed = prepare(tmp_path / "store")
    assert 0 < before < len(parsed) == len(set(parsed)) == 12
    assert resumed == unsharded(tmp_path / "direct", monkeypatch)


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_shard_is_made_again(songs, tmp_path, damage):
    def damaging(step, work, what):
        refs = in_turn(step, work, what)
        path = Store(str(tmp_path / "store")).fetch(refs[1]) / "files.parquet"
        path.write_bytes(b"PAR1") if damage == "changed" else path.unlink()
        return refs

    expected = prepare(tmp_path / "other")
    assert prepare(tmp_path / "store", spread=damaging) == expected


def test_other_settings_find_no_shard_of_these(songs, tmp_path, parsed):
    store = str(tmp_path / "store")
    prepare(tmp_path / "store")
    parsed.clear()
    looser = SETTINGS.model_copy(update={"corpus": CorpusSettings(heldout_share=0.4)})
    operations.prepare_corpus(store, looser, ("songbook",))
    assert parsed == []
    longer = SETTINGS.model_copy(update={"corpus": CorpusSettings(min_words=20)})
    operations.prepare_corpus(store, longer, ("songbook",))
    assert len(parsed) == 12


@pytest.fixture
def embedded(monkeypatch) -> list[str]:
    """Titles of the songs whose words are embedded for a catalogue."""
    from rhapsody_lib.retrieval import shards

    titles: list[str] = []
    plain = shards._embedded

    def noted(songs, *rest):
        titles.extend(song.title for song in songs.values())
        return plain(songs, *rest)

    monkeypatch.setattr(shards, "_embedded", noted)
    return titles


def embed(store: Path) -> ArtifactRef:
    """The catalogue of what the songbook holds now."""
    corpus = operations.prepare_corpus(str(store), SETTINGS, ("songbook",))
    encoder = Store(str(store)).build(Recipe("encoder", 1, {}, {}), write_encoder)
    return operations.embed_catalogue(str(store), SETTINGS, corpus, encoder)


def test_added_songs_alone_are_embedded_and_the_catalogue_is_that_of_all(songs, tmp_path, embedded):
    more = songs_folder(tmp_path / "more", each=4)
    new = min({path.name for path in more.iterdir()} - {path.name for path in songs.iterdir()})
    before = Store(str(tmp_path / "store")).parts(embed(tmp_path / "store"))
    old = set(embedded)
    assert len(old) == 12
    embedded.clear()
    shutil.copy(more / new, songs / "hush.txt")
    grown = embed(tmp_path / "store")
    assert len(embedded) == 1
    assert not old & set(embedded)
    assert set(before) & set(Store(str(tmp_path / "store")).parts(grown))
    anew = embed(tmp_path / "other")
    assert files(str(tmp_path / "store"), grown) == files(str(tmp_path / "other"), anew)
    stores = Store(str(tmp_path / "store")), Store(str(tmp_path / "other"))
    for kind, key in stores[0].parts(grown):
        assert files(stores[0].root, stores[0].part(kind, key)) == files(stores[1].root, stores[1].part(kind, key))
    catalogue = open_catalogue(stores[0], grown)
    assert catalogue.songs.num_rows == 13
    for row in range(13):
        stanzas, vectors = catalogue.stanzas_of(row)
        assert len(stanzas) == len(vectors) > 0


@pytest.mark.parametrize("name", ["stanzas.arrow", ""])
def test_a_damaged_segment_is_refused_and_made_again(songs, tmp_path, name):
    store = Store(str(tmp_path / "store"))
    ref = embed(tmp_path / "store")
    part = store.part(*store.parts(ref)[1])
    folder = store.fetch(part)
    if name:
        (folder / name).write_bytes((folder / name).read_bytes()[:-100])
    else:
        shutil.rmtree(folder.parent)
    with pytest.raises(DamagedArtifactError, match="rhapsody train"):
        catalogue = open_catalogue(store, ref)
        for row in range(12):
            catalogue.stanzas_of(row)
    assert embed(tmp_path / "store") == ref
    assert open_catalogue(store, ref).songs.num_rows == 12
    assert store.part(part.kind, part.key) == part


def test_a_released_catalogue_keeps_its_segments(songs, tmp_path, monkeypatch):
    store = Store(str(tmp_path / "store"))
    ref = embed(tmp_path / "store")
    publish_release(store, dict.fromkeys(RELEASE_KINDS, ref), {}, reason="keeps them")
    lost = embed_of_others(songs, tmp_path)
    uses._in_use.clear()
    now = garbage.store_clock(store)
    monkeypatch.setattr(garbage, "store_clock", lambda _: now + timedelta(days=91))
    garbage.collect(store, garbage.Policy(), garbage.find_garbage(store, garbage.Policy()))
    assert store.find(lost.kind, lost.key) is None
    assert {(found.kind, found.key) for found in store.artifacts()} == {(ref.kind, ref.key), *store.parts(ref)}


def embed_of_others(songs: Path, tmp_path: Path) -> ArtifactRef:
    """A catalogue, in the same store, of fewer songs."""
    for path in sorted(songs.glob("*.txt"))[:6]:
        path.unlink()
    return embed(tmp_path / "store")


def test_progress_tells_of_the_shards(songs, tmp_path):
    told: dict[str, list[tuple[int, int]]] = {}

    def factory(what):
        return lambda done, total, note="": told.setdefault(what, []).append((done, total))

    with reporting(factory):
        prepare(tmp_path / "store")
    shards = told["Making songs shards"]
    assert shards == [(number, len(shards)) for number in range(1, len(shards) + 1)]
    assert told["Preparing songs"][-1] == (12, 12)


def test_songs_added_here_and_there_are_added_to_their_segments_side_by_side(songs, tmp_path, monkeypatch):
    more = songs_folder(tmp_path / "more", each=5)
    before = Store(str(tmp_path / "store")).parts(embed(tmp_path / "store"))
    for name in {path.name for path in more.iterdir()} - {path.name for path in songs.iterdir()}:
        shutil.copy(more / name, songs / name)
    together = []

    def noted(step, work, done):
        together.append(len(work))
        return side_by_side(step, work, done)

    monkeypatch.setattr("rhapsody_lib.operations.tables.side_by_side", noted)
    grown, anew = embed(tmp_path / "store"), embed(tmp_path / "other")
    after = Store(str(tmp_path / "store")).parts(grown)
    assert together == [len(set(after) - set(before))]
    assert together[0] > 1
    assert files(str(tmp_path / "store"), grown) == files(str(tmp_path / "other"), anew)


def test_side_by_side_keeps_the_order_and_ends_with_the_first_error():
    work, done = [Work(number, ()) for number in range(8)], []

    def step(item):
        if item.shard == 5:
            raise ValueError("5")
        return item.shard

    assert side_by_side(step, work[:5], lambda: done.append(None)) == [0, 1, 2, 3, 4]
    assert len(done) == 5
    with pytest.raises(ValueError, match="5"):
        side_by_side(step, work)


def test_earlier_shards_are_those_made_alike(tmp_path):
    store = Store(str(tmp_path / "store"))

    def put(version: int, settings: dict[str, object], inputs: dict[str, str]) -> ArtifactRef:
        return store.build(Recipe("vectors-shard", version, settings, inputs), lambda folder: None)

    wanted = put(1, {"a": 1, "bounds": ["b", "d"]}, {"encoder": "x", "texts": "1"})
    put(1, {"a": 2, "bounds": ["b", "d"]}, {"encoder": "x", "texts": "1"})
    put(2, {"a": 1, "bounds": ["b", "d"]}, {"encoder": "x", "texts": "1"})
    put(1, {"a": 1, "bounds": ["b", "d"]}, {"encoder": "y", "texts": "1"})
    damaged = put(1, {"a": 1, "bounds": ["b", "e"]}, {"encoder": "x", "texts": "2"})
    Path(store.path_of("artifacts", damaged.kind, damaged.key, "manifest.json")).write_bytes(b"{}")
    for number, path in enumerate(Path(store.root).rglob("manifest.json")):
        os.utime(path, (number, number))
    os.utime(store.path_of("artifacts", wanted.kind, wanted.key, "manifest.json"))
    stored = stored_shards(store, "vectors-shard")
    assert stored[0] == (wanted, store.recipe_of(wanted))
    assert len(stored) == 4
    found = earlier_shards(stored, Recipe("vectors-shard", 1, {"a": 1}, {"encoder": "x"}))
    assert found == [EarlierShard(wanted, ("b", "d"))]
    assert overlapping(found, ("d", "z")) == overlapping(found, ("a", "b")) == (wanted,)
    assert overlapping(found, ("da", "z")) == overlapping(found, ("a", "az")) == ()
