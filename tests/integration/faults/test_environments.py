"""The two environments of workers really lack what their extras do not bring, and have what they do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.servers.environments import CPU_EXTRAS, GPU_EXTRAS, Environment, make_environment

PROBE = "import importlib.util, sys; print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name)))"
MODULES = (
    "tensorflow", "keras", "torch", "sentence_transformers", "onnxruntime", "lingua", "symusic", "pretty_midi",
    "lameenc", "tinysoundfont", "prefect", "pytest", "hypothesis",
)  # fmt: skip


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make_environment(tmp_path_factory.mktemp("gpu") / "machine", GPU_EXTRAS)


@pytest.fixture(scope="module")
def cpu(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make_environment(tmp_path_factory.mktemp("cpu") / "machine", CPU_EXTRAS)


def run(environment: Environment, *command: str) -> str:
    done = subprocess.run(
        [environment.bin / command[0], *command[1:]], cwd=environment.folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_each_environment_has_what_its_extras_bring_and_no_more(gpu: Environment, cpu: Environment) -> None:
    everywhere = {"torch", "sentence_transformers", "onnxruntime", "prefect"}
    assert set(run(gpu, "python", "-c", PROBE, *MODULES).split()) == everywhere | {"tensorflow", "keras"}
    assert set(run(cpu, "python", "-c", PROBE, *MODULES).split()) == everywhere | {
        "lingua", "symusic", "pretty_midi", "lameenc", "tinysoundfont",
    }  # fmt: skip


def test_its_commands_run_its_own_packages_and_checkout(cpu: Environment) -> None:
    assert "3.8" in run(cpu, "prefect", "--version")
    assert "song" in run(cpu, "rhapsody", "--help")
    where = run(cpu, "python", "-c", "import rhapsody_lib, prefect; print(rhapsody_lib.__file__, prefect.__file__)")
    assert all(Path(path).is_relative_to(cpu.checkout.parent) for path in where.split())


def test_every_flow_of_a_pool_can_be_loaded_in_its_environment(gpu: Environment, cpu: Environment) -> None:
    for environment, names in (
        (gpu, "train_lyrics train_encoder embed_catalogue"),
        (cpu, "prepare_corpus train_backing retrain generate_song"),
    ):
        run(environment, "python", "-c", "; ".join(f"import flows.{name}" for name in names.split()))
