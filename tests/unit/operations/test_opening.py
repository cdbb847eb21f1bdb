"""The manifests of a catalogue's segments are read side by side, and stay in order."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.operations import opening
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.retrieval.opened import Catalogue


def test_manifests_of_segments_are_read_at_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, parts = Store(str(tmp_path)), [("vectors-shard", str(number)) for number in range(8)]
    meeting = threading.Barrier(4, timeout=20)  # broken where they come one after another
    located: list[Any] = []

    def part(kind: str, key: str) -> ArtifactRef:
        meeting.wait()
        return ArtifactRef(kind=kind, key=key, uri="", sha256="")

    monkeypatch.setattr(store, "fetch", lambda ref: tmp_path)
    monkeypatch.setattr(store, "parts", lambda ref: parts)
    monkeypatch.setattr(store, "part", part)
    monkeypatch.setattr(Catalogue, "load", lambda folder, *_: folder)
    monkeypatch.setattr(opening, "locate_segments", lambda store, refs: located.extend(refs))
    ref = ArtifactRef(kind="catalogue", key="key", uri="", sha256="")
    assert open_catalogue(store, ref) == tmp_path
    assert [(found.kind, found.key) for found in located] == parts
    monkeypatch.undo()
    monkeypatch.setattr(Store, "fetch", lambda *_: tmp_path)
    monkeypatch.setattr(Store, "parts", lambda *_: parts)
    with pytest.raises(DamagedArtifactError, match="is gone"):
        open_catalogue(store, ref)
