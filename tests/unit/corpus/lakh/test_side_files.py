from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.corpus.lakh.json_entries import MAX_ENTRY_CHARACTERS, json_entries, read_midi_info, read_scores
from rhapsody_lib.corpus.lakh.lists import CLEANSED_STYLES, STYLES, read_genres, read_ids
from rhapsody_lib.corpus.lakh.metadata import TrackMetadata, read_metadata
from rhapsody_lib.corpus.lakh.words import MatchedWords, read_words, without_notice
from rhapsody_lib.errors import SourceError
from tests.unit.corpus.lakh.trees import TreeWriter, md5, track_id

_NOTICE = "\n...\n\n******* This Lyrics is NOT for Commercial use *******\n(1409617829201)"


def _written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


_VALUES = st.none() | st.floats(0, 1) | st.text(st.characters(blacklist_characters="{}", codec="utf-8"), max_size=5)


@given(
    st.dictionaries(st.text(max_size=8), st.dictionaries(st.text("ab", max_size=3), _VALUES, max_size=3), max_size=5)
)
def test_entries_are_those_of_the_json(tmp_path_factory, values) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    for indent in (None, 2):
        path.write_text(json.dumps(values, indent=indent), encoding="utf-8")
        assert dict(json_entries(path)) == values


@pytest.mark.parametrize("text", ["", "[1]", '{"a": {"b": 1', '{"a": {"b": 1}', '{"a": 3}', '{"a": {"b": {}}}', "{,}"])
def test_what_is_no_such_json_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|delimiter|property name"):
        list(json_entries(_written(tmp_path, "a.json", text)))


def test_an_endless_entry_is_given_up(tmp_path: Path) -> None:
    path = _written(tmp_path, "a.json", '{"a": {"b": "' + "x" * (3 * MAX_ENTRY_CHARACTERS))
    with pytest.raises(ValueError, match="characters"):
        list(json_entries(path))


@pytest.mark.parametrize("gap", [" " * 200_000, " " * 100_000 + "," + " " * 100_000])
def test_a_run_of_spaces_takes_no_time(tmp_path: Path, gap: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="JSON"):
        list(json_entries(_written(tmp_path, "a.json", '{"a": {}' + gap + "x")))
    assert dict(json_entries(_written(tmp_path, "b.json", f'{{"a": {{}}{gap.replace(",", "")},{gap[:50]}"b": {{}}}}')))
    assert time.process_time() - began < 1


def test_an_entry_that_is_nested_too_deep_is_no_entry(tmp_path: Path) -> None:
    text = f'{{"{track_id(1)}": {{"{md5(1)}": {"[" * 100_000}{"]" * 100_000}}}}}'
    with pytest.raises(ValueError, match="nested too deep"):
        list(json_entries(_written(tmp_path, "a.json", text)))


def test_scores_and_tempi_are_those_of_the_files_asked_for(tmp_path: Path) -> None:
    scores = {track_id(1): {md5(1): 0.5, md5(2): 0.7}, "TRX": {md5(1): 0.9}, track_id(2): {md5(1): "high", md5(2): 7}}
    path = _written(tmp_path, "match_scores.json", json.dumps(scores))
    assert list(read_scores(path, {md5(1), md5(2)})) == [(track_id(1), md5(1), 0.5), (track_id(1), md5(2), 0.7)]
    info = {
        md5(1): {"constant_tempo": 84.000084, "constant_time_signature": "4/4"},
        md5(2): {"constant_tempo": None, "constant_time_signature": None},
        md5(3): {"constant_tempo": 100},
    }
    found = dict(read_midi_info(_written(tmp_path, "midi_info.json", json.dumps(info)), {md5(1), md5(2)}))
    assert [(each.tempo_bpm, each.time_signature) for each in found.values()] == [(84.000084, "4/4"), (0.0, "")]


def test_ids_tell_their_broken_lines(datasets: Path) -> None:
    rows = list(read_ids(datasets / "bad_inputs" / "csv" / "made_cleansed_ids_bad_rows.txt"))
    first = "cd3b9c8bb118575bcd712cffdba85fce"
    assert rows[0] == (first, "TRRNARX128F4264AEB") and rows[-1] == (first, "TRWMHMP128EF34293F")
    assert rows[2] == ("d8392424ea57a0fe6f65447680924d37", "TRWMHMP128EF34293F")
    assert [row[0] for row in rows if isinstance(row[0], int)] == [3]


def test_the_real_lists_have_no_broken_line(datasets: Path) -> None:
    real = datasets / "lpd_real"
    assert len(list(read_ids(real / "cleansed_ids.real-head5.txt"))) == 5
    entries = dict(json_entries(real / "match_scores.real-head3.json"))
    assert len(entries) == 3 and max(map(len, entries.values())) == 9
    for path in [*(real / "labels").rglob("*.txt"), real / "msd_tagtraum_cd1.real-head300.cls"]:
        asked = {line.split()[0] for line in path.read_text().splitlines() if not line.startswith("#")}
        rows = list(read_genres(path, asked))
        assert len(rows) >= len(asked) and all(isinstance(row[0], str) for row in rows), path.name


def test_genres_have_names_from_each_kind_of_file(tmp_path: Path) -> None:
    one, two = track_id(1), track_id(2)
    lines = ("# MSD genre", f"{one}\tNew Age\tJazz", f"{two}\tRap", "TRX\tRap", f"{two}\tA\tB\tC")
    annotated, broken = _written(tmp_path, "cd2.cls", "\n".join(lines)), "is no MSD id with one genre or two"
    assert list(read_genres(annotated, {one})) == [(one, ("New Age", "Jazz")), (4, broken), (5, broken)]
    listed = _written(tmp_path, "id_list_New-Age.txt", f"{one}\n{two}\nnone\n")
    assert list(read_genres(listed, {two})) == [(two, ("New Age",)), (3, "is no MSD id")]
    numbered = f"# msd_id, label_num\n{one}    9\n{two}    25\n{two}    x\n"
    assert next(iter(read_genres(_written(tmp_path, "masd_labels.txt", numbered), {one}))) == (one, (STYLES[9],))
    cleansed = list(read_genres(_written(tmp_path, "masd_labels_cleansed.txt", numbered), {one, two}))
    assert cleansed[0] == (one, (CLEANSED_STYLES[9],)) and [row[0] for row in cleansed[1:]] == [3, 4]


def test_a_line_without_end_is_one_broken_line(tmp_path: Path) -> None:
    path = _written(tmp_path, "a.cls", "x" * 5000 + f"\n{track_id(1)}\tFolk\n")
    assert list(read_genres(path, {track_id(1)})) == [
        (1, "is no MSD id with one genre or two"), (track_id(1), ("Folk",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("One line\nTwo lines\nThree", "One line\nTwo lines\nThree"),
        (f"One line\nTwo lines\nThree li{_NOTICE}", "One line\nTwo lines"),
        (f"One line\n\nTwo lines...{_NOTICE.replace(chr(10) + '...', '')}", "One line"),
        (f"All of it. On one line. That br{_NOTICE}", "All of it. On one line."),
        (f"no end to it{_NOTICE}", "no end to it"),
        (_NOTICE, ""),
        ("", ""),
    ],
)
def test_words_lose_the_notice_and_the_line_that_broke_off(text: str, words: str) -> None:
    assert without_notice(text) == (words, "NOT" in text)


def test_rows_of_words_with_their_defects(tmp_path: Path) -> None:
    rows = [
        "track_id,title,artist_name,Lyrics",
        f'{track_id(1)},A,B,"first line\nsecond ""quoted"" line"',
        f"{track_id(2)},A,B,",
        "",
        "TRX,A,B,words",
        f"{track_id(3)},A,words",
        f'{track_id(4)},A,B,"never closed',
        f"{track_id(5)},Title,Artist,words again",
    ]
    found = list(read_words(_written(tmp_path, "matched_lyrics.csv", "\r\n".join(rows) + "\r\n")))
    words = [row for row in found if isinstance(row, MatchedWords)]
    assert [(row.track_id, row.lyrics) for row in words] == [
        (track_id(1), 'first line\nsecond "quoted" line'), (track_id(2), ""), (track_id(5), "words again"),
    ]  # fmt: skip
    assert [row[0] for row in found if isinstance(row, tuple)] == [3, 4, 5]
    with pytest.raises(ValueError, match="no columns"):
        list(read_words(_written(tmp_path, "other.csv", "a,b\n1,2\n")))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep=;\r\n"])
def test_words_are_read_whatever_stands_between_the_columns(tmp_path: Path, delimiter: str, first: str) -> None:
    rows = [["track_id", "title", "artist_name", "Lyrics"], [track_id(1), "A", "B", '"one, two; three"']]
    text = first + "".join(delimiter.join(row) + "\r\n" for row in rows)
    (row,) = read_words(_written(tmp_path, "matched_lyrics.csv", text))
    assert isinstance(row, MatchedWords) and (row.title, row.lyrics) == ("A", "one, two; three")


def test_metadata_is_asked_for_by_id(tmp_path: Path) -> None:
    tree = TreeWriter(tmp_path)
    tree.metadata((1, "One\n more", "The Band", 1969), (2, "Two", "Other", 0))
    found = dict(read_metadata(tmp_path / "track_metadata.db", [track_id(1), *(f"TR{n}" for n in range(2000))]))
    assert found == {track_id(1): TrackMetadata("One more", "The Band", 1969)}


def _database(path: Path, *statements: str) -> Path:
    with sqlite3.connect(path) as database:
        for statement in statements:
            database.execute(statement)
    database.close()
    return path


_ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE VIEW songs AS SELECT x AS track_id, x AS title, x AS artist_name, x AS year FROM ({_ENDLESS})",
        "CREATE TABLE songs (track_id text, artist_name text, year int, title text AS (hex(zeroblob(1000000000))))",
        "CREATE TABLE songs (track_id text, title text)",
        "CREATE TABLE other (a)",
    ],
)
def test_a_hostile_schema_is_refused(tmp_path: Path, statement: str) -> None:
    path = _database(tmp_path / "a.db", statement)
    with pytest.raises(ValueError, match=r"no table 'songs'|no column"):
        list(read_metadata(path, [track_id(1)]))


def test_a_query_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = "track_id text, title text, artist_name text, year int"
    path = _database(
        tmp_path / "a.db", f"CREATE TABLE songs ({columns})", f"INSERT INTO songs (year) {_ENDLESS} LIMIT 9999"
    )
    monkeypatch.setattr("rhapsody_lib.corpus.lakh.metadata._MOST_SECONDS", 0.0)
    monkeypatch.setattr("rhapsody_lib.corpus.lakh.metadata._STEPS_BETWEEN_CHECKS", 100)
    with pytest.raises(SourceError, match=r"a\.db.*longer than 0 seconds"):
        list(read_metadata(path, [track_id(1)]))


def test_each_batch_has_a_deadline_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10**9, 50))  # each look at the clock takes 50 seconds
    TreeWriter(tmp_path).metadata(*((n, f"Song {n}", "Band", 1990) for n in range(3000)))
    monkeypatch.setattr("rhapsody_lib.corpus.lakh.metadata.time.monotonic", lambda: float(next(now)))
    monkeypatch.setattr("rhapsody_lib.corpus.lakh.metadata._STEPS_BETWEEN_CHECKS", 6000)
    assert len(list(read_metadata(tmp_path / "track_metadata.db", [track_id(n) for n in range(3000)]))) == 3000


def test_a_database_without_an_index_is_read_once(tmp_path: Path) -> None:
    columns = "track_id text, title text, artist_name text, year int"
    rows = ",".join(f"('{track_id(n)}', 'Song {n}', 'Band', 1990)" for n in range(1200))
    path = _database(tmp_path / "a.db", f"CREATE TABLE songs ({columns})", f"INSERT INTO songs VALUES {rows}")
    asked: list[str] = []
    found = _traced(path, [track_id(n) for n in range(100, 1200)], asked)
    assert len(found) == 1100 and found[track_id(1199)].title == "Song 1199"
    assert sum("FROM songs" in statement and "EXPLAIN" not in statement for statement in asked) == 1


def _traced(path: Path, track_ids: list[str], statements: list[str]) -> dict[str, TrackMetadata]:
    """What `read_metadata` gives, and the statements that it asks."""
    with pytest.MonkeyPatch.context() as patch:
        connect = sqlite3.connect

        def traced(*args: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*args, **options)
            connection.set_trace_callback(statements.append)
            return connection

        patch.setattr("rhapsody_lib.corpus.lakh.metadata.sqlite3.connect", traced)
        return dict(read_metadata(path, track_ids))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=40))
def test_a_damaged_database_is_read_or_refused(tmp_path_factory, changes: list[tuple[int, int]]) -> None:
    folder = tmp_path_factory.mktemp("db")
    TreeWriter(folder).metadata(*((n, f"Song {n}", "Band", 1990) for n in range(50)))
    path = folder / "track_metadata.db"
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data)
    try:
        rows = list(read_metadata(path, [track_id(n) for n in range(50)]))
    except ValueError:
        return
    assert len(rows) <= 200 and all(isinstance(about, TrackMetadata) for _, about in rows)
