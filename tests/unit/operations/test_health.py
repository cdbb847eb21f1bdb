"""`rhapsody doctor`: what an extra needs comes from the metadata, and what is missing comes with its remedy."""

from __future__ import annotations

import json
import subprocess
import sys
from email.message import Message
from pathlib import Path

import pytest

from flows import console
from rhapsody_lib.errors import MissingExtraError
from rhapsody_lib.operations import health

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = PROJECT["optional-dependencies"]
INSTALLED = {"torch": "2.13.0+cpu", "mido": "1.3.3", "tinysoundfont": "0.3.7", "lameenc": "1.9.0"}


def _of_extra(need: str, extra: str) -> str:
    """A need with its own marker, if it has one, and the extra's."""
    name, _, marker = need.partition(";")
    return f'{name}; ({marker.strip()}) and extra == "{extra}"' if marker else f'{name}; extra == "{extra}"'


def declare(monkeypatch: pytest.MonkeyPatch, extras: dict[str, list[str]], base: list[str] | None = None) -> None:
    """The distribution's metadata as a build of these dependencies would write it."""
    described = Message()
    for name in extras:
        described["Provides-Extra"] = name
    needs = [_of_extra(need, name) for name, wanted in extras.items() for need in wanted]
    monkeypatch.setattr(health.metadata, "metadata", lambda name: described)
    monkeypatch.setattr(health.metadata, "requires", lambda name: [*(base or []), *needs])


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What seems to be installed: change it to take something away."""
    versions = dict(INSTALLED)
    monkeypatch.setattr(health, "_version", versions.get)
    monkeypatch.setattr(health, "find_soundfont", lambda: Path("TimGM6mb.sf2"))
    return versions


def test_every_extra_of_the_project_is_looked_at_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, OPTIONAL, PROJECT["dependencies"])
    needs = {extra: {need.name for need in wanted} for extra, wanted in health.requirements_of_extras().items()}
    assert set(needs) == set(OPTIONAL) - {"all", "dask", "dev", "scale"} == set(health.PURPOSES)
    assert {extra for extra, names in needs.items() if "mido" in names} == {"corpus", "backing", "song"}
    assert "onnx" in needs["retrieval"]
    assert not any({"numpy", "tomli", "rhapsody"} & names for names in needs.values())


def test_what_another_platform_needs_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    described = Message()
    described["Provides-Extra"] = "song"
    needs = ["mido; extra == 'song'", "other; python_version < '3' and extra == 'song'", "old; python_version < '3'"]
    monkeypatch.setattr(health.metadata, "metadata", lambda name: described)
    monkeypatch.setattr(health.metadata, "requires", lambda name: needs)
    assert [need.name for need in health.requirements_of_extras()["song"]] == ["mido"]


def test_missing_and_unfit_versions_are_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], tmp_path: Path
) -> None:
    declare(
        monkeypatch, {"song": ["mido>=1.3", "absent[speed]>=2"], "backing": ["mido<1.3"], "lyrics": ["torch==2.13.0"]}
    )
    report = health.examine(str(tmp_path))
    song, backing, lyrics, audio = report.extras
    assert report.missing_extras == ("song", "backing")
    assert (song.found, song.missing) == (("mido 1.3.3",), ("absent>=2",))
    assert song.remedy == "pip install 'rhapsody[song]'"
    assert (backing.found, backing.missing) == (("mido 1.3.3",), ("mido<1.3",))
    assert (lyrics.missing, lyrics.remedy, audio.missing, audio.remedy) == ((), "", (), "")


@pytest.mark.parametrize(
    ("absent", "remedy"),
    [
        (["tinysoundfont"], "pip install --no-deps tinysoundfont"),
        (["lameenc"], "pip install 'rhapsody[song]'"),
        (["tinysoundfont", "lameenc"], "pip install --no-deps tinysoundfont && pip install 'rhapsody[song]'"),
    ],
)
def test_without_a_piece_of_audio_the_extra_audio_is_missing(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], tmp_path: Path, absent: list[str], remedy: str
) -> None:
    declare(monkeypatch, {})
    for name in absent:
        del installed[name]
    report = health.examine(str(tmp_path))
    assert report.missing_extras == ("audio",)
    assert (report.extras[-1].missing, report.extras[-1].remedy) == (tuple(absent), remedy)


def test_without_the_soundfont_the_extra_audio_is_missing(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], tmp_path: Path
) -> None:
    def nowhere() -> Path:
        raise MissingExtraError("none")

    declare(monkeypatch, {})
    monkeypatch.setattr(health, "find_soundfont", nowhere)
    audio = health.examine(str(tmp_path)).extras[-1]
    assert (audio.missing, audio.remedy) == (("TimGM6mb.sf2",), "pip install 'rhapsody[song]'")


def test_facts_show_where_songbook_and_profiles_are(tmp_path: Path) -> None:
    report = health.examine(str(tmp_path))
    folder, _, songs = report.facts["songbook"].partition(" (")
    assert Path(folder, "LICENSE").is_file()
    assert songs == f"{len(list(Path(folder).rglob('*.txt')))} songs)"
    assert Path(report.facts["profiles"], "fast.toml").is_file()
    assert report.facts["release"].startswith("none yet")


def test_a_store_that_may_only_be_read_is_called_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "read-only" not in health.examine(str(tmp_path)).facts
    monkeypatch.setattr(health.os, "access", lambda path, _mode: Path(path) != tmp_path)
    report = health.examine(str(tmp_path))
    assert "nothing can be trained" in report.facts["read-only"]
    assert not report.store_error


def test_the_remedy_of_each_missing_extra_is_printed_as_it_is_typed(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(monkeypatch, {"song": ["absent[speed]>=2"]})
    del installed["tinysoundfont"]
    report = health.examine(str(tmp_path))
    console.show_health(report, as_json=False)
    printed = capsys.readouterr().out
    assert "Install what is missing of song: pip install 'rhapsody[song]'\n" in printed
    assert "Install what is missing of audio: pip install --no-deps tinysoundfont\n" in printed
    console.show_health(report, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["missing_extras"] == ["song", "audio"]
    assert shown["extras"][1]["remedy"] == "pip install --no-deps tinysoundfont"


def test_looking_imports_nothing_of_what_it_looks_for(tmp_path: Path) -> None:
    script = (
        "import sys; from rhapsody_lib.operations.health import examine; examine(sys.argv[1]); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    heavy = {"tensorflow", "keras", "torch", "onnx", "onnxruntime", "sentence_transformers", "tokenizers", "lingua"}
    heavy |= {"symusic", "pretty_midi", "mido", "matplotlib", "lameenc", "tinysoundfont", "prefect"}
    assert not heavy & set(run.stdout.split())
