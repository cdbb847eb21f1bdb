"""Source files: what they name is found, and what is wrong with one is told with its key and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.corpus.source_file import EXAMPLE, read_source_file, with_choices
from rhapsody_lib.errors import InputError
from rhapsody_lib.operations.recipes import corpus_recipe
from rhapsody_lib.settings import CorpusSettings, Settings


def source_file(folder: Path, text: str, name: str = "my.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_file_and_a_tilde_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home" / "lpd").mkdir(parents=True)
    (tmp_path / "here" / "songs").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    text = '[[source]]\ncorpus="folder"\nfolder="songs"\nname="mine"\n[[source]]\ncorpus="lakh"\nlpd="~/lpd"\n'
    songs, lakh = read_source_file(source_file(tmp_path / "here", text))
    assert (songs.kind, songs.name, songs.folders) == ("folder", "mine", {"folder": tmp_path / "here" / "songs"})
    assert (lakh.kind, lakh.name, lakh.folders) == ("lakh", "", {"lpd": tmp_path / "home" / "lpd"})


def test_the_example_is_read_where_its_folders_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("lpd_5_cleansed", "lmd_matched", "kaggle"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for name in ("match_scores.json", "cleansed_ids.txt", "midi_info.json", "track_metadata.db",
                 "msd_tagtraum_cd1.cls", "matched_lyrics.csv"):  # fmt: skip
        (tmp_path / "data" / name).touch()
    (tmp_path / "my-songs").mkdir()
    path = source_file(tmp_path, EXAMPLE)
    assert [spec.kind for spec in read_source_file(path)] == ["lakh", "kaggle", "folder", "songbook"]
    commented = EXAMPLE.replace("# artists", "artists").replace("# genres", "genres").replace("# years", "years")
    kept = with_choices(CorpusSettings(), [str(source_file(tmp_path, commented))])
    assert (kept.artists, kept.years) == (("The Beatles", "ABBA"), (1960, 1979))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no source"),
        ("x = [", "not valid TOML"),
        ('source = "x"', r"\[\[source\]\], in two brackets"),
        ("[[source]]\nname='x'", r"source 1: give corpus = one of 'songbook', 'folder', 'kaggle', 'lakh'"),
        ('[[source]]\ncorpus="songbook"\n[[source]]\ncorpus="lak"', "source 2: give corpus"),
        ('[[source]]\ncorpus="lakh"\nldp="x"', r"source 1 \(lakh\): key 'ldp' is no key that is known.*lpd, midi"),
        ('[[source]]\ncorpus="lakh"\nlpd=3', r"source 1 \(lakh\): key 'lpd': should be a valid string"),
        ('[[source]]\ncorpus="lakh"', "needs one of the keys 'folder', 'lpd', 'midi'"),
        (
            '[[source]]\ncorpus="kaggle"\nfolder="."\nartists="my.toml"',
            r"source 1 \(kaggle\): the key 'folder' stands for",
        ),
        ('[[source]]\ncorpus="folder"', r"source 1 \(folder\): key 'folder' is missing"),
        ('[[source]]\ncorpus="folder"\nfolder="nowhere"', "key 'folder' names '.*nowhere', which does not exist"),
        ('[[source]]\ncorpus="folder"\nfolder="~nobody-at-all/x"', "which is no path"),
        ('[[source]]\ncorpus="folder"\nfolder="a\\u0000b"', "which is no path"),
        ('[[source]]\ncorpus="songbook"\n[keep]\nlanguage="english"', r"\[keep\] key 'language' = 'english'"),
        ('[[source]]\ncorpus="songbook"\n[keep]\nyears=[1960]', r"\[keep\] key 'years' needs two values"),
        ('[[source]]\ncorpus="songbook"\n[keeps]\n', "key 'keeps' is no key that is known"),
    ],
)
def test_what_is_wrong_is_one_message_with_the_file_the_key_and_a_remedy(tmp_path: Path, text: str, told: str) -> None:
    path = source_file(tmp_path, text)
    with pytest.raises(InputError, match=rf"^Source file '.*my\.toml': (?s:.*){told}(?s:.*)sources --example"):
        read_source_file(path)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_source_file(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_source_file(tmp_path / "bytes.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_source_file(tmp_path)


def test_what_is_kept_becomes_settings_and_a_setting_is_stronger(tmp_path: Path) -> None:
    keep = '[[source]]\ncorpus="songbook"\n[keep]\nlanguage="any"\nartists=["ABBA"]\nyears=[1970, 1982]\n'
    sources = ["songbook", str(source_file(tmp_path, keep))]
    kept = with_choices(CorpusSettings(artists=("Queen",)), sources)
    assert (kept.language, kept.artists, kept.years) == ("any", ("Queen",), (1970, 1982))
    assert with_choices(kept, sources) == kept
    assert with_choices(CorpusSettings(), ["songbook"]) == CorpusSettings()


def test_choices_that_contradict_one_another_or_themselves_are_refused(tmp_path: Path) -> None:
    start = '[[source]]\ncorpus="songbook"\n[keep]\n'
    one, other = (source_file(tmp_path, f'{start}language="{code}"', f"{code}.toml") for code in ("en", "pt"))
    with pytest.raises(InputError, match=r"pt\.toml.*'language' differs"):
        with_choices(CorpusSettings(), [str(one), str(other)])
    with pytest.raises(InputError, match=r"my\.toml: years 1990 to 1960: the first year comes first\..*data-card"):
        with_choices(CorpusSettings(), [str(source_file(tmp_path, f"{start}years=[1990, 1960]"))])


def test_a_choice_is_part_of_the_recipe_and_a_comment_is_not(tmp_path: Path) -> None:
    def key(text: str) -> str:
        return corpus_recipe(Settings(), [str(source_file(tmp_path, text))]).key

    plain = '[[source]]\ncorpus="songbook"\n'
    assert key(plain) == key(f"# mine\n{plain}")
    assert key(plain) != key(f'{plain}[keep]\ngenres=["folk"]')
