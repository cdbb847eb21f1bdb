"""A look at a source before hours are spent: what it is, what is missing, what is odd."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.layout_check import check_layout
from rhapsody_lib.corpus.prepare import prepare_corpus
from rhapsody_lib.corpus.source_check import Checked, check_source
from rhapsody_lib.corpus.sources import list_jobs, open_sources
from rhapsody_lib.errors import InputError, SourceError
from rhapsody_lib.settings import CorpusSettings

WORDS = "The river runs and the river sings tonight\nand nobody hears it but me and you\n"


def one(place: Path | str, settings: CorpusSettings | None = None, files: int = 2) -> Checked:
    (checked,) = check_source(str(place), settings or CorpusSettings(), files)
    return checked


def table(folder: Path, header: str = "ALink,SName,SLink,Lyric,language") -> Path:
    path = folder / "lyrics-data.csv"
    path.write_text(f'{header}\n/ann/,A Song,/ann/a.html,"{WORDS}",en\n', encoding="utf-8")
    return path


def test_the_songbook_is_usable() -> None:
    checked = one("songbook")
    assert checked.usable
    assert checked.facts["songbook texts"].startswith("224; of 2 files looked at 2 would be kept")
    assert not checked.findings


def test_what_does_not_exist_is_an_input_error() -> None:
    with pytest.raises(InputError, match="does not exist"):
        one("nowhere/at/all")


def test_a_folder_without_songs_is_unusable_and_an_archive_in_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "lpd_5_cleansed.tar.gz").write_bytes(b"x")
    checked = one(tmp_path)
    assert not checked.usable
    assert any("is packed" in finding.what for finding in checked.findings)


@pytest.mark.parametrize(
    ("header", "release"),
    [
        ("ALink,SName,SLink,Lyric,language", "newer"),
        ("ALink,SName,SLink,Lyric,Idiom", "older"),
        ("ALink,SName,SLink,Lyric,tongue", "unknown"),
    ],
)
def test_a_kaggle_table_tells_its_release_and_misses_its_artists(tmp_path: Path, header: str, release: str) -> None:
    checked = one(table(tmp_path, header))
    assert checked.facts["lyrics-data.csv"] == f"Kaggle lyrics, {release} release"
    assert any("no table of artists is beside it" in finding.what for finding in checked.findings)
    assert checked.usable
    (tmp_path / "artists-data.csv").write_text("Artist,Genres,Link\nAnn,Folk,/ann/\n", encoding="utf-8")
    assert not any("artists" in finding.what for finding in one(tmp_path).findings)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_is_told_however_it_was_saved(tmp_path: Path, encoding: str, end: str, packed: bool) -> None:
    data = table(tmp_path).read_text(encoding="utf-8").replace("\n", end).encode(encoding)
    (tmp_path / "lyrics-data.csv").unlink()
    name = "lyrics-data.csv.gz" if packed else "lyrics-data.csv"
    (tmp_path / name).write_bytes(gzip.compress(data) if packed else data)
    checked = one(tmp_path)
    assert checked.facts[name] == "Kaggle lyrics, newer release"
    assert checked.usable


def test_a_packed_table_that_is_none_is_told_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "lyrics-data.csv.gz").write_bytes(b"no gzip\rat all")
    assert "None of the tables of lyrics" in errors(one(tmp_path))


@pytest.mark.parametrize(
    ("data", "why"),
    [("Name,Url\nAnn,/ann/\n", "has no columns 'Artist' and 'Link'"), ("Artist,Link\nAné,/ann/\n", "1 rows are left")],
)
def test_a_table_of_artists_that_cannot_be_used_is_told(tmp_path: Path, data: str, why: str) -> None:
    table(tmp_path)
    (tmp_path / "artists-data.csv").write_bytes(data.encode("cp1252"))
    (finding,) = one(tmp_path).findings
    assert finding.level == "warning" and finding.what.startswith("artists-data.csv cannot") and why in finding.what


def test_artists_are_found_beside_the_words_or_where_a_source_file_names_them(tmp_path: Path) -> None:
    table(tmp_path)
    file = tmp_path / "mine.toml"
    for name, more in (("artists-data.csv", ""), ("singers.csv", 'artists = "singers.csv"\n')):
        (tmp_path / name).write_text("Artist,Genres,Link\nAnn,Folk,/ann/\n", encoding="utf-8")
        file.write_text(f'[[source]]\ncorpus = "kaggle"\nlyrics = "lyrics-data.csv"\n{more}', encoding="utf-8")
        (source,) = open_sources([str(file)])
        (job,) = list_jobs(source)
        assert isinstance(job, Job) and job.artists_path.endswith(name)
        assert not any("artists" in finding.what for finding in one(file).findings)
        (tmp_path / name).unlink()


def test_a_source_whose_songs_would_all_be_left_out_says_by_which_setting(tmp_path: Path) -> None:
    table(tmp_path)
    checked = one(tmp_path, CorpusSettings(language="pt"))
    assert not checked.usable
    (error,) = (finding for finding in checked.findings if finding.level == "error")
    assert "other_language 1" in error.what
    assert "corpus.language" in error.remedy


def test_what_is_not_read_packed_is_told_and_packed_tables_are_not(tmp_path: Path) -> None:
    packed = {"track_metadata.db.gz", "match_scores.json.gz", "a.csv.bz2", "b.mid.xz", "c.tar.gz", "d.ZIP"}
    for name in (*packed, "lyrics.csv.gz", "poems.JSONL.gz", "words.tsv.gz", "a.mid"):
        (tmp_path / name).write_bytes(b"x")
    told = [what for path in sorted(tmp_path.iterdir()) for _, what, _ in check_layout([path], None)[1]]
    assert {what.removesuffix(" is packed.") for what in told if what.endswith(" is packed.")} == packed


def choosing(**choice: object) -> CorpusSettings:
    return CorpusSettings.model_validate({"language": "any", **choice})


@pytest.mark.parametrize(
    ("choice", "setting"),
    [({"artists": ["Nobody"]}, 'corpus.artists=["Nobody"]'), ({"years": [1960, 1970]}, "corpus.years=[1960, 1970]")],
)
def test_a_choice_that_no_row_of_a_table_passes_is_named(tmp_path: Path, choice: dict[str, list], setting: str) -> None:
    table(tmp_path)
    checked = one(tmp_path, choosing(**choice))
    assert "would be kept (not chosen 1)" in checked.facts["tables of lyrics"]
    (error,) = (finding for finding in checked.findings if finding.level == "error")
    assert setting in error.remedy
    with pytest.raises(SourceError, match="not_chosen 1") as raised:
        prepare_corpus([str(tmp_path)], tmp_path / "out", choosing(**choice), seed=0)
    assert setting in str(raised.value)


def test_what_was_chosen_may_stand_where_was_not_looked(tmp_path: Path) -> None:
    rows = table(tmp_path).read_text(encoding="utf-8").partition("\n")[2]
    with (tmp_path / "lyrics-data.csv").open("a", encoding="utf-8") as stream:
        stream.writelines([rows] * 300)
    checked = one(tmp_path, choosing(artists=["Bo"]))
    assert checked.usable
    assert any("None of the tables of lyrics" in finding.what for finding in checked.findings)
    assert not any("of the tables" in finding.what for finding in one(tmp_path, choosing(artists=["Ann"])).findings)


def test_unfinished_empty_and_pointer_files_are_named(tmp_path: Path) -> None:
    for name, content in (("a.mid.part", b"x"), ("b.mid", b""), ("c.mid", b"version https://git-lfs.github.com/x\n")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d.mid").symlink_to(".git/annex/objects/d.mid")
    odd = " ".join(what for _, what, _ in check_layout(sorted(tmp_path.iterdir()), None)[1])
    for told in (
        "d.mid is a link to nothing",
        "a.mid.part is a download",
        "b.mid is empty",
        "c.mid is a Git LFS pointer",
    ):
        assert told in odd


def tree(folder: Path, *, key: str = "beat_resolution", tracks: int = 5) -> Path:
    """A Lakh tree of one piano roll without arrays, and a database."""
    place = folder / "lpd_5_cleansed" / "A" / "A" / "A" / "TRAAAAA128F4287AF3"
    place.mkdir(parents=True)
    info = {key: 24, "name": "x", **{str(n): {"program": 0, "is_drum": n == 0, "name": str(n)} for n in range(tracks)}}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("info.json", json.dumps(info))
    (place / f"{'a' * 32}.npz").write_bytes(buffer.getvalue())
    with closing(sqlite3.connect(folder / "track_metadata.db")) as database:
        database.execute("CREATE TABLE songs (track_id text PRIMARY KEY, title text, artist_name text, year int)")
        rows = [(f"TRAAAAA{number:011d}", "T" * 200, "A", 1999) for number in range(200)]
        database.executemany("INSERT INTO songs VALUES (?, ?, ?, ?)", rows)
        database.commit()
    return folder


def errors(checked: Checked) -> str:
    return " ".join(finding.what for finding in checked.findings if finding.level == "error")


def test_parts_of_a_lakh_tree_that_are_missing_are_named(tmp_path: Path) -> None:
    checked = one(tree(tmp_path))
    told = " ".join(finding.what for finding in checked.findings)
    for name in ("midi_info.json", "genres", "matched_lyrics.csv"):
        assert name in told
    assert checked.facts["release"] == "5 tracks, pypianoroll 0.x (1 of 1)"
    assert checked.facts["metadata"] == "track_metadata.db, 200 rows"


@pytest.mark.parametrize("info", ["5", "[1]", "[" * 100_000])
def test_damaged_piano_rolls_are_told(tmp_path: Path, info: str) -> None:
    (roll,) = tree(tmp_path).rglob("*.npz")
    with zipfile.ZipFile(roll, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("info.json", info)
    assert any("1 piano rolls of 1 are none" in finding.what for finding in one(tmp_path).findings)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_piano_rolls_damaged_within_are_told(tmp_path: Path, method: int) -> None:
    (roll,) = tree(tmp_path).rglob("*.npz")
    with zipfile.ZipFile(roll, "w", method) as archive:
        archive.writestr("info.json", json.dumps({"beat_resolution": 24, "name": "abc" * 99}))
    data = bytearray(roll.read_bytes())
    begin = 48 if method == zipfile.ZIP_LZMA else 39  # behind the header of the member and the properties of LZMA
    data[begin:60] = b"\xff" * (60 - begin)
    roll.write_bytes(data)
    assert any("1 piano rolls of 1 are none" in finding.what for finding in one(tmp_path).findings)


def test_another_release_and_another_version_of_the_piano_rolls_are_told(tmp_path: Path) -> None:
    checked = one(tree(tmp_path, key="resolution", tracks=17))
    assert checked.facts["release"] == "17 tracks, pypianoroll 1.x (1 of 1)"
    assert any("five tracks of LPD-5" in finding.what for finding in checked.findings)


@pytest.mark.parametrize(("keep", "told"), [(0.5, "is cut off"), (0, "is no SQLite database")])
def test_a_database_that_is_cut_off_is_an_error(tmp_path: Path, keep: float, told: str) -> None:
    path = tree(tmp_path) / "track_metadata.db"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)] or b"no database at all" * 20)
    checked = one(tmp_path)
    assert told in errors(checked)
    assert not checked.usable


def test_a_folder_that_is_too_deep_names_the_one_that_is_meant(tmp_path: Path) -> None:
    checked = one(tree(tmp_path) / "lpd_5_cleansed" / "A" / "A")
    assert not checked.usable
    assert f"in '{tmp_path / 'lpd_5_cleansed'}'" in errors(checked)


def test_a_whole_lakh_tree_is_usable_and_joined(datasets: Path) -> None:
    checked = one(datasets / "mini_lpd", CorpusSettings(instrumentals=True, language="any"))
    assert checked.usable
    assert checked.facts["with a title"] == "64 of 64 songs"
    assert checked.facts["with words"] == "48 of 64 songs"
