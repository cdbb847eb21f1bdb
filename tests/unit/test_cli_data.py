"""`rhapsody prepare`, `card` and `sources`: what they print, and with what code they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rhapsody_lib.corpus.source_file import EXAMPLE
from rhapsody_lib.corpus.source_guide import GUIDE
from rhapsody_lib.errors import MissingExtraError
from tests.trained import songs_folder

pytest.importorskip("dataframely")


def test_a_source_file_is_prepared_with_its_card_and_the_card_is_found_again(rhapsody, tmp_path: Path) -> None:
    songs_folder(tmp_path / "songs", each=2)
    source = tmp_path / "my.toml"
    source.write_text('[[source]]\ncorpus="folder"\nfolder="songs"\nname="mine"\n[keep]\ngenres=["folk", "rock"]\n')
    code, out, _ = rhapsody("prepare", str(source), "--json")
    told = json.loads(out)
    assert (code, told["songs"], told["rejects"]) == (0, 4, {"not_chosen": 4})
    assert told["sources"] == {"mine": {"songs": 4, "rejects": 4}}
    page = Path(told["card"]).read_text(encoding="utf-8")
    assert "<h1>Data card of corpus" in page and "docs/data-card.md" in page
    code, out, _ = rhapsody("card", told["key"][:8], "--json", "--out", str(tmp_path / "card.html"))
    card = json.loads(out)
    assert (code, card["names"]["genre"], card["page"]) == (0, {"folk": 2, "rock": 2}, str(tmp_path / "card.html"))
    assert (tmp_path / "card.html").read_bytes() == Path(told["card"]).read_bytes()
    code, out, _ = rhapsody("card", told["key"][:8], "--against", told["key"][:8])
    assert code == 0
    assert "The corpus is near the other one" in out


def test_a_corpus_is_told_though_its_card_cannot_be_made(rhapsody, tmp_path: Path, monkeypatch) -> None:
    from rhapsody_lib.operations import data_card

    def missing(module: str) -> None:
        raise MissingExtraError(f"'{module}' is not installed.")

    monkeypatch.setattr(data_card, "require", missing)
    code, out, err = rhapsody("prepare", str(songs_folder(tmp_path / "songs", each=1)), "--json")
    assert (code, json.loads(out)["songs"], json.loads(out)["card"]) == (0, 4, "")
    assert "No data card was written" in err


def test_card_without_a_release_or_with_a_wrong_key_says_so(rhapsody) -> None:
    code, _, err = rhapsody("card")
    assert code == 5
    assert "rhapsody train" in err
    code, _, err = rhapsody("card", "abcdef")
    assert code == 2
    assert "There is no artifact 'corpus/abcdef'" in err


def test_sources_names_every_corpus_and_an_example(rhapsody) -> None:
    code, out, _ = rhapsody("sources")
    assert code == 0
    for entry in GUIDE:
        assert entry.name in out
    assert json.loads(rhapsody("sources", "--json")[1])[0]["name"] == "songbook"
    assert rhapsody("sources", "--example")[1] == EXAMPLE


def test_sources_check_ends_with_1_where_a_source_is_unusable(rhapsody, tmp_path: Path) -> None:
    code, out, _ = rhapsody("sources", "check", str(songs_folder(tmp_path / "songs", each=1)))
    assert (code, "It can be prepared." in out) == (0, True)
    (tmp_path / "none").mkdir()
    code, out, _ = rhapsody("sources", "check", str(tmp_path / "none"), "--json")
    assert (code, json.loads(out)[0]["usable"]) == (1, False)
    code, _, err = rhapsody("sources", "check", str(tmp_path / "nowhere"))
    assert (code, "does not exist" in err) == (2, True)


def test_a_card_copied_onto_itself_says_why_not(rhapsody, tmp_path: Path) -> None:
    told = json.loads(rhapsody("prepare", str(songs_folder(tmp_path / "songs", each=1)), "--json")[1])
    code, _, err = rhapsody("card", told["key"][:8], "--out", told["card"])
    assert code == 2
    assert "same file" in err
    assert "None" not in err
