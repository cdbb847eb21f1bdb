from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from rhapsody_lib.corpus.musicxml import read_sheet
from rhapsody_lib.corpus.musicxml_file import load_musicxml, parse_xml
from rhapsody_lib.errors import UnreadableFileError
from tests.unit.corpus.corpus_samples import pack_mxl, sung_measures, xml_note, xml_score

SCORE = xml_score(sung_measures("one two three four"))


def _code(path: Path) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read_sheet(load_musicxml(path, path.name), path.name)
    return caught.value.code


@pytest.mark.parametrize(
    ("member", "container"),
    [
        ("score.xml", None),
        ("I'm here.xml", "<container><rootfiles><rootfile full-path='I'm here.xml'/></rootfiles></container>"),
        ("Für.xml", "<container><rootfiles><rootfile full-path='F?r.xml'/></rootfiles></container>"),
        ("score.musicxml", "not xml at all"),
        ("score.xml", "<container><rootfiles><rootfile full-path='nowhere.xml'/></rootfiles></container>"),
    ],
)
def test_archives_with_the_defects_of_real_ones_are_read(tmp_path: Path, member: str, container: str | None) -> None:
    pack_mxl(tmp_path / "song.mxl", SCORE, member=member, container=container)
    assert read_sheet(load_musicxml(tmp_path / "song.mxl", "song.mxl"), "song.mxl").title == "Boats"


def test_plain_xml_in_other_encodings_is_read(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "song.xml").write_text(SCORE, encoding=encoding)
        assert load_musicxml(tmp_path / "song.xml", "song.xml").tag == "score-partwise"


def test_bombs_are_refused_before_they_unpack(tmp_path: Path) -> None:
    pack_mxl(tmp_path / "bomb.mxl", "<a>" + " " * (5 << 20) + "</a>")
    assert _code(tmp_path / "bomb.mxl") == "too_large"


def test_a_lying_header_does_not_open_the_gate(tmp_path: Path) -> None:
    path = tmp_path / "liar.mxl"
    pack_mxl(path, "<a>" + " " * (5 << 20) + "</a>")
    true, lie = (5 << 20) + 7, 1000
    path.write_bytes(path.read_bytes().replace(true.to_bytes(4, "little"), lie.to_bytes(4, "little")))
    assert _code(path) in {"too_large", "bad_musicxml"}


@pytest.mark.parametrize("name", ["../../evil.xml", "/etc/evil.xml", "a\\..\\..\\evil.xml"])
def test_members_outside_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "evil.mxl", "w") as archive:
        archive.writestr("score.xml", SCORE)
        archive.writestr(name, SCORE)
    assert _code(tmp_path / "evil.mxl") == "bad_musicxml"


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "<a><b></a>",
        "<a>&undefined;</a>",
        '<?xml version="1.0" encoding="no-such"?><a/>',
        "",
    ],
)
def test_dangerous_and_broken_xml_is_refused(xml: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        parse_xml(xml.encode(), "x.xml")
    assert caught.value.code == "bad_musicxml"


@pytest.mark.parametrize(
    ("measures", "code"),
    [
        (["<note><pitch><step>H</step><octave>4</octave></pitch><duration>2</duration></note>"], "bad_musicxml"),
        ([xml_note("C4", -1)], "bad_musicxml"),
        ([xml_note("C4", 1e12)], "too_large"),
        ([xml_note("-", 4)], "no_notes"),
        ([], "bad_musicxml"),
        (["<attributes><divisions>zero</divisions></attributes>" + xml_note("C4", 1)], "bad_musicxml"),
    ],
)
def test_scores_that_make_no_sense_are_refused(tmp_path: Path, measures: list[str], code: str) -> None:
    (tmp_path / "song.xml").write_text(xml_score(measures), encoding="utf-8")
    assert _code(tmp_path / "song.xml") == code


def test_other_documents_are_refused(tmp_path: Path) -> None:
    (tmp_path / "song.xml").write_text("<html><body/></html>", encoding="utf-8")
    assert _code(tmp_path / "song.xml") == "bad_musicxml"


def test_the_sung_part_is_chosen_and_chords_come_from_another(tmp_path: Path) -> None:
    harmony = "<harmony><root><root-step>F</root-step></root><kind>minor-seventh</kind></harmony>"
    bar = f"<measure><attributes><divisions>4</divisions></attributes>{harmony}{xml_note('A2', 2) * 4}</measure>"
    piano = f'<part id="P0">{bar}</part>'
    xml = SCORE.replace('<part id="P1">', piano + '<part id="P1">')
    (tmp_path / "song.xml").write_text(xml, encoding="utf-8")
    sheet = read_sheet(load_musicxml(tmp_path / "song.xml", "song.xml"), "song.xml")
    assert [note.pitch for note in sheet.measures[0].notes] == [72, 74, 76, 77]
    assert [(offset, symbol.name()) for offset, symbol in sheet.measures[0].chords] == [(0, "Fm7")]


def test_timewise_scores_are_read(tmp_path: Path) -> None:
    inner = "".join(sung_measures("one two three four"))
    xml = (
        "<score-timewise><measure><part id='P1'><attributes><divisions>2</divisions></attributes>"
        f"{inner}</part></measure></score-timewise>"
    )
    (tmp_path / "song.xml").write_text(xml, encoding="utf-8")
    sheet = read_sheet(load_musicxml(tmp_path / "song.xml", "song.xml"), "song.xml")
    assert [note.words[1].text for note in sheet.measures[0].notes] == ["one", "two", "three", "four"]
