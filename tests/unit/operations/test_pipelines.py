"""What cannot end in a release is refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib import operations
from rhapsody_lib.errors import InputError
from rhapsody_lib.operations.base_model import make_base
from rhapsody_lib.operations.pipelines import train_models
from rhapsody_lib.settings import load_settings
from tests.trained import TINY, songs_folder


def test_a_network_that_writes_no_songs_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    settings = load_settings(TINY, ["lyrics.architecture=bilstm-seed"])
    store, songs = tmp_path / "store", [str(songs_folder(tmp_path / "songs", each=1))]
    with pytest.raises(InputError, match=r"bilstm-seed.*--with-seed-network"):
        train_models(operations, str(store), settings, songs)
    with pytest.raises(InputError, match=r"bilstm-seed.*--with-seed-network"):
        make_base(str(store), settings, songs, tmp_path / "base", "rhapsody base lyrics")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["songs"]
