"""A catalogue is opened without reading it; whatever is wrong with it is one clear error before it is searched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.optional import is_installed
from rhapsody_lib.retrieval.catalogue import embed_catalogue
from rhapsody_lib.retrieval.inverted import InvertedIndex
from rhapsody_lib.retrieval.layout import INVERTED_FILE, SONGS_FILE
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.retrieval.scoring import SongMatrix
from rhapsody_lib.retrieval.segments import map_batch, write_batch
from rhapsody_lib.settings import CatalogueSettings

VECTORS, STANZAS, LEXICON = (f"segments/0000/{name}.arrow" for name in ("vectors", "stanzas", "lexicon"))


@pytest.fixture(scope="module")
def embedded(corpus, encoder_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("catalogue")
    embed_catalogue(corpus, encoder_folder, out, CatalogueSettings())
    return out


@pytest.fixture
def folder(embedded, tmp_path):
    return Path(shutil.copytree(embedded, tmp_path / "copy"))


def use(folder: Path) -> None:
    """Open a catalogue, look for a word, and read the stanzas of the songs."""
    catalogue = Catalogue.load(folder)
    catalogue.lexicon.scores("river")
    for row in range(catalogue.songs.num_rows):
        catalogue.stanzas_of(row)


@pytest.mark.parametrize("name", ["songs.arrow", "catalogue.json", VECTORS, STANZAS, LEXICON])
@pytest.mark.parametrize("damage", ["gone", "empty", "text", "short"])
def test_a_damaged_file_is_one_clear_error(folder, name, damage):
    path = folder / name
    whole = path.read_bytes()
    path.unlink()
    content = {"empty": b"", "text": b"not what it should be", "short": whole[: len(whole) * 2 // 3]}
    if damage in content:
        path.write_bytes(content[damage])
    with pytest.raises(DamagedArtifactError, match="Run 'rhapsody train'"):
        use(folder)


@pytest.mark.skipif(not is_installed("faiss"), reason="faiss is absent: extra 'index'")
@pytest.mark.parametrize("damage", ["gone", "empty", "text", "short"])
def test_a_damaged_inverted_file_is_one_clear_error(folder, damage):
    catalogue, path = Catalogue.load(folder), folder / INVERTED_FILE
    built = InvertedIndex.build(catalogue.index, catalogue.matrix.chunks[0], seed=0, lists=1)
    assert built is not None
    built.write(path)
    card = json.loads((folder / "catalogue.json").read_text())
    card["inverted"] = {"probes": built.probes, "recall_at_10": built.recall}
    (folder / "catalogue.json").write_text(json.dumps(card))
    assert isinstance(Catalogue.load(folder).quick_index, InvertedIndex)
    whole = path.read_bytes()
    path.unlink()
    content = {"empty": b"", "text": b"not what it should be", "short": whole[: len(whole) * 2 // 3]}
    if damage in content:
        path.write_bytes(content[damage])
    with pytest.raises(DamagedArtifactError, match="Run 'rhapsody train'"):
        _ = Catalogue.load(folder).quick_index


def test_what_is_written_is_what_a_pass_over_the_vectors_gives(folder):
    matrix = Catalogue.load(folder).matrix
    again = SongMatrix.of(matrix.chunks).with_hubness()
    for name in ("mean", "products", "lengths", "wordless", "hubness"):
        np.testing.assert_array_equal(getattr(matrix, name), getattr(again, name))


def test_what_the_corpus_says_of_a_song_stands_beside_it(folder):
    songs = Catalogue.load(folder).songs
    assert {"artist", "language", "genres", "licence", "tempo_bpm", "key"} <= set(songs.column_names)
    assert songs.column("title").to_pylist() == ["Sea", "Rail", "Bread", "Snow"]


def test_stanzas_that_were_changed_are_refused(folder):
    path = folder / STANZAS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedArtifactError, match=r"do not have their digest.*Run 'rhapsody train'"):
        use(folder)


def test_the_segments_of_another_encoder_are_refused(folder):
    card = json.loads((folder / "catalogue.json").read_text())
    card["encoder"]["onnx_sha256"] = "digest 1"
    (folder / "catalogue.json").write_text(json.dumps(card))
    with pytest.raises(DamagedArtifactError, match=r"vectors are of another encoder.*Run 'rhapsody train'"):
        Catalogue.load(folder)


@pytest.mark.parametrize(("key", "value"), [("layout", 2), ("layout", None), ("dimension", 13), ("segments", 0)])
def test_a_card_that_does_not_fit_is_refused(folder, key, value):
    card = json.loads((folder / "catalogue.json").read_text())
    (folder / "catalogue.json").write_text(json.dumps(card | {key: value}))
    with pytest.raises(DamagedArtifactError, match="Run 'rhapsody train'"):
        Catalogue.load(folder)


@pytest.mark.parametrize("layout", [2, None])
def test_a_catalogue_of_an_older_version_says_so_and_what_to_do(folder, layout):
    card = json.loads((folder / "catalogue.json").read_text())
    (folder / "catalogue.json").write_text(json.dumps(card | {"layout": layout}))
    with pytest.raises(DamagedArtifactError, match=r"made by an older Rhapsody.*train' with the same sources"):
        Catalogue.load(folder)


def test_vectors_that_are_no_numbers_are_refused(folder):
    batch = map_batch(folder / SONGS_FILE)
    place = batch.schema.get_field_index("product")
    columns = [pa.array(column.to_pylist(), column.type) for column in batch.columns]
    columns[place] = pa.array([0.5, np.nan, 0.5, 0.5], pa.float32())
    write_batch(folder / SONGS_FILE, columns, batch.schema)
    with pytest.raises(DamagedArtifactError, match="no numbers"):
        Catalogue.load(folder)


def test_segments_that_do_not_belong_to_it_are_refused(folder, make_corpus, encoder_folder, tmp_path):
    embed_catalogue(make_corpus(tmp_path / "one", {"a": "snow"}), encoder_folder, tmp_path / "out", CatalogueSettings())
    shutil.copy(tmp_path / "out" / VECTORS, folder / VECTORS)
    with pytest.raises(DamagedArtifactError, match="hold 1 songs"):
        Catalogue.load(folder)
