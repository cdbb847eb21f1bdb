"""Every broken file as part of a larger corpus, and links that lead out of a folder: the run ends, nothing gets out."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.corpus.found import Found, Reject
from rhapsody_lib.corpus.prepare import prepare_corpus
from rhapsody_lib.corpus.reading import read_source
from rhapsody_lib.corpus.schema import REJECTS_FILE, SONGS_FILE
from rhapsody_lib.corpus.sources import open_source, source_fingerprint
from rhapsody_lib.settings import CorpusSettings
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes
from tests.watched import peak_mb, read_watched

SECRET = "the password of the house is under the seventh stone by the river and nobody may ever know"
MEMORY_MB, TIME_S = 300, 5.0
#: Files that are odd, and are read for the music that they hold all the same.
READ_THROUGH = (
    "midi/made_trailing_garbage.mid", "midi/made_riff_rmid.mid", "midi/made_type2.mid",
    "midi/made_unknown_chunk.mid", "musicxml/made_container_malformed.mxl", "musicxml/made_utf16_bom.xml",
    "npz/made_info_resolution_key.npz", "npz/made_data_bool.npz", "npz/made_no_downbeat.npz", "npz/made_ok.npz",
)  # fmt: skip
#: Files that are refused, with the reason; most would exhaust a careless reader.
REFUSED = {
    "midi/made_huge_delta.mid": "too_large", "midi/made_MThd_then_random.mid": "bad_midi",
    "midi/made_git_lfs_pointer.mid": "bad_midi", "midi/made_html_404.mid": "bad_midi",
    "musicxml/made_bomb_20MB.mxl": "too_large", "musicxml/made_path_traversal.mxl": "bad_musicxml",
    "musicxml/made_xxe_external_entity.xml": "bad_musicxml", "npz/made_shape_negative.npz": "bad_npz",
    "npz/made_indices_out_of_range.npz": "bad_npz", "npz/made_object_array_pickle.npz": "bad_npz",
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All broken files, each kind in a folder of its own, among good ones."""
    folder = tmp_path_factory.mktemp("bulk")
    for kind in ("csv", "midi", "musicxml", "npz"):
        shutil.copytree(datasets / "bad_inputs" / kind, folder / kind)
    for number in range(20):
        (folder / f"good {number}.mid").write_bytes(midi_bytes(f"{WORDS} {number}", f"Boats {number}"))
    return folder


def test_every_broken_file_is_read_or_rejected_within_its_limits(corpus: Path, datasets: Path) -> None:
    watched = read_watched(corpus, CorpusSettings(instrumentals=True, language="any"), workers=1)
    with (datasets / "bad_inputs" / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        names = {row["file"] for row in csv.DictReader(stream)}
    told = {path.partition("#")[0] for path in watched.items}
    assert names - told == set()
    assert watched.rejected("crashed", "timeout") == {}
    assert all(item.detail for item in watched.items.values() if isinstance(item, Reject))
    assert {name for name in READ_THROUGH if not isinstance(watched.items[name], Found)} == set()
    assert {name: getattr(watched.items[name], "code", None) for name in REFUSED} == REFUSED
    assert max(watched.seconds.values()) < TIME_S
    assert max(watched.peak_mb.values()) < MEMORY_MB
    assert len(watched.processes) == 1, "a file brought its parser down"
    assert sum(path.startswith("good ") and isinstance(item, Found) for path, item in watched.items.items()) == 20


def _linked(folder: Path) -> Path:
    """A folder with a good song and every way out of it that a folder can hold."""
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    (outside / "song.mid").write_bytes(midi_bytes(SECRET))
    (outside / "rows.csv").write_text(f"title,lyrics\nsecret,{SECRET}\n")
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "good.mid").write_bytes(midi_bytes(WORDS))
    (corpus / "twin.mid").symlink_to("good.mid")
    (corpus / "stolen.mid").symlink_to(outside / "song.mid")
    (corpus / "rows.csv").symlink_to("../outside/rows.csv")
    (corpus / "words.mid").write_bytes(midi_bytes())
    (corpus / "words.txt").symlink_to(outside / "secret.txt")
    (corpus / "folder").symlink_to(outside, target_is_directory=True)
    (corpus / "loop.mid").symlink_to("loop.mid")
    (corpus / "device.mid").symlink_to("/dev/zero")
    os.mkfifo(corpus / "pipe.mid")
    return corpus


@pytest.mark.timeout(60)
def test_nothing_outside_its_folder_is_read(tmp_path: Path) -> None:
    corpus = _linked(tmp_path)
    items = {item.path: item for _, item in read_source(open_source(str(corpus)), CorpusSettings(), workers=1)}
    assert {path for path, item in items.items() if isinstance(item, Found)} == {"good.mid", "twin.mid"}
    codes = {path: item.code.value for path, item in items.items() if not isinstance(item, Found)}
    outside = ("stolen.mid", "rows.csv", "words.txt", "loop.mid")
    assert codes == {**dict.fromkeys(outside, "outside"), "words.mid": "no_lyrics"}
    prepare_corpus([str(corpus)], tmp_path / "out", CorpusSettings(), seed=1)
    for name in (SONGS_FILE, REJECTS_FILE):
        assert "password" not in str(pq.read_table(tmp_path / "out" / name).to_pylist())


def test_a_link_inside_the_folder_counts_in_its_digest_and_one_outside_does_not(tmp_path: Path) -> None:
    corpus = _linked(tmp_path)
    before = source_fingerprint(str(corpus))
    (tmp_path / "outside" / "secret.txt").write_text("other words")
    assert source_fingerprint(str(corpus)) == before
    (corpus / "good.mid").write_bytes(midi_bytes(WORDS[:40]))
    assert source_fingerprint(str(corpus)) != before


def test_folders_nested_beyond_all_reason_are_read(tmp_path: Path) -> None:
    folders = [tmp_path / "deep"]
    try:
        folders[0].mkdir()
        for _ in range(1_200):
            folders.append(Path(f"{folders[-1]}/a"))
            folders[-1].mkdir()
        (folders[-1] / "good.mid").write_bytes(midi_bytes(WORDS))
        items = [item for _, item in read_source(open_source(str(folders[0])), CorpusSettings(), workers=1)]
        assert [type(item) for item in items] == [Found]
    finally:  # shutil.rmtree cannot
        (folders[-1] / "good.mid").unlink(missing_ok=True)
        for folder in reversed(folders):
            folder.rmdir()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are told by Linux")
def test_memory_that_a_process_gave_back_is_in_its_peak() -> None:
    code = "held = bytearray(b'a' * (80 << 20)); del held; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        peak, now = peak_mb(process.pid), psutil.Process(process.pid).memory_info().rss / 2**20
        process.communicate(b"\n")
    assert peak >= 80 > now
    assert peak_mb(process.pid) == 0
