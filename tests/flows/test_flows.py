"""The flows over a real Prefect server and real steps: the same songs as without one, and what a run's page shows."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.operations.pipelines import make_song
from rhapsody_lib.operations.requests import check_request
from rhapsody_lib.release import live_release, release_numbers
from tests.flows.shown import artifact


def task_states(last: str = "") -> dict[str, str]:
    """State of each task run of the latest flow run, by the task's name, once the server was told of all ends.

    It is told by events, which may be late: it is asked until it knows of the run of `last` too, if one is named.
    """

    async def read() -> dict[str, str]:
        async with get_client() as client:
            flow_run = (await client.read_flow_runs(limit=1, sort="START_TIME_DESC"))[0]
            of_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))
            deadline = time.monotonic() + 60
            while True:
                runs = await client.read_task_runs(flow_run_filter=of_run)
                states = {run.task_key.rsplit("-", 1)[0]: run.state_name for run in runs}
                ended = (not last or last in states) and all(run.state and run.state.is_final() for run in runs)
                if ended or time.monotonic() > deadline:
                    return states

    return asyncio.run(read())


@pytest.fixture(scope="module")
def retrained(trained):
    """The release of a retraining flow over the store that holds everything already."""
    from flows.retrain import retrain

    return retrain(sources=[trained.source], profile=trained.profile, store=trained.store)


def test_an_unchanged_retraining_shows_every_step_cached_and_releases_nothing_new(retrained, trained):
    assert retrained.number == 1
    states = task_states("release_models")
    assert states.pop("release_models") == states.pop("check_corpus") == "Completed"
    assert set(states) == {"prepare_corpus", "train_lyrics", "train_encoder", "embed_catalogue", "train_backing"}
    assert set(states.values()) == {"Cached"}
    assert "lyrics.heldout_perplexity" in artifact("release-figures")


def test_a_song_of_the_flow_is_the_song_without_it(trained, tmp_path):
    from flows.generate_song import generate_song

    asked = {"prompt": "the sky is blue", "seed": 4, "audio": False}
    request = check_request(**asked)
    result = generate_song(**asked, store=trained.store, out=str(tmp_path / "flow"))
    make_song(operations, trained.store, live_release(Store(trained.store)), request, tmp_path / "direct")
    for name in ("lyrics.txt", "song.mid", "song.kar", "song.json"):
        assert (tmp_path / "flow" / name).read_bytes() == (tmp_path / "direct" / name).read_bytes()
    shown = artifact("song")
    assert result.lyrics.splitlines()[1] in shown
    sure = result.matches[0].confidence
    assert f"sure by {'-' if sure is None else f'{sure:.2f} of 1'}" in shown


def test_the_command_is_a_flow_run_where_a_server_is_set(trained, tmp_path, monkeypatch, rhapsody):
    from prefect.settings import PREFECT_API_URL

    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    out = tmp_path / "out"
    code, _, stderr = rhapsody("song", "rain", "--store", trained.store, "--out", str(out), "--no-audio", "--json")
    assert code == 0, stderr
    assert set(task_states("write_song")) == {"write_lyrics", "find_match", "compose_backing", "write_song"}
    assert (out / "song.mid").is_file()


def test_a_song_without_a_folder_is_an_artifact_made_once(trained):
    from flows.generate_song import generate_song

    store = Store(trained.store)
    asked = {"prompt": "rain on the roof", "seed": 5, "audio": False, "store": trained.store}
    first = generate_song(**asked)
    assert set(task_states("write_song")) >= {"write_lyrics", "find_match", "compose_backing", "write_song"}
    assert generate_song(**asked) == first
    assert "write_lyrics" not in task_states()
    songs = [ref for ref in store.artifacts() if ref.kind == "song"]
    assert [store.fetch(ref) for ref in songs] == [first.folder]
    assert songs[0].uri.rsplit("/", 1)[-1] in artifact("song")


def test_a_worse_release_is_refused_and_the_run_says_why(trained, monkeypatch):
    from prefect.states import State

    from flows.retrain import retrain
    from rhapsody_lib.gate import Verdict

    monkeypatch.setattr("rhapsody_lib.operations.check_gate", lambda *_: Verdict((), ("It is worse.",)))
    numbers = release_numbers(Store(trained.store))
    state: State = retrain(
        sources=[trained.source], profile=trained.profile, changes=["seed=7"], store=trained.store, return_state=True
    )
    assert (state.name, state.type.value) == ("Refused", "FAILED")
    assert "It is worse." in (state.message or "")
    assert release_numbers(Store(trained.store)) == numbers


@pytest.mark.parametrize(
    "name", ["train_lyrics", "embed_catalogue", "train_backing", "train_encoder", "prepare_corpus"]
)
def test_each_stage_is_a_flow_of_its_own(trained, name):
    import importlib

    flow = getattr(importlib.import_module(f"flows.{name}"), name)
    ref = flow(sources=[trained.source], profile=trained.profile, store=trained.store)
    assert Path(Store(trained.store).fetch(ref)).is_dir()
    assert ref in live_release(Store(trained.store)).refs.values()
