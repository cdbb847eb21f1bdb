"""A store with a release of tiny models, made once a session by the real steps on twenty songs of the songbook."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import rhapsody_lib

REPOSITORY = Path(__file__).parent.parent
TINY = str(REPOSITORY / "tests" / "data" / "tiny.toml")
SONGBOOK = Path(rhapsody_lib.__file__).parent / "songbook"


@dataclass(frozen=True)
class Trained:
    """Where the tiny release is, and the folder of songs it was made from."""

    store: str
    source: str
    profile: str = TINY


def songs_folder(target: Path, each: int) -> Path:
    """A folder with a few songs of some styles of the songbook."""
    target.mkdir()
    for style in ("ballad", "folk", "rock", "waltz"):
        for path in sorted((SONGBOOK / style).glob("*.txt"))[:each]:
            shutil.copy(path, target / path.name)
    return target


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Trained:
    """The tiny release."""
    from rhapsody_lib import operations
    from rhapsody_lib.operations.pipelines import train_all
    from rhapsody_lib.settings import load_settings

    folder = tmp_path_factory.mktemp("trained")
    source = songs_folder(folder / "songs", each=5)
    train_all(operations, str(folder / "store"), load_settings(TINY), [str(source)], "test")
    return Trained(str(folder / "store"), str(source))


@pytest.fixture
def rhapsody(monkeypatch, capsys):
    """Run the `rhapsody` command in this process: `code, stdout, stderr = rhapsody("song", "...")`."""
    from flows.cli import main

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["rhapsody", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return run
