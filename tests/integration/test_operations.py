"""docs/operations.md is run: PostgreSQL, Redis, two API replicas behind a proxy with a password, services, a worker.

Blocks marked `run=` are executed as they stand on the page; the servers are started with the command lines, settings
files and proxy configuration of `deployments/`. What wants root or systemd is in scripts, run here with stand-ins.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.release import RELEASE_KINDS, live_release, publish_release
from tests.servers.api import Api
from tests.servers.postgres import Postgres, program
from tests.servers.prefect_server import ROOT, clean_env, env_file
from tests.servers.process import ServerProcess, free_port, listens, wait_until
from tests.servers.redis import RedisServer
from tests.trained import Trained

DEPLOYMENTS = ROOT / "deployments"
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```sh ((?:run|host)=\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
AUTH = "operator:a-password-of-the-test"

RETRIED = """
import pathlib, sys, time
from prefect import flow, task
from prefect.runtime import flow_run

started, go = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])

@task
def step():
    return flow_run.get_run_count()

@flow(retries=1, retry_delay_seconds=1, name="retried")
def retried():
    if step() > 1:
        return
    started.touch()
    while not go.exists():
        time.sleep(0.05)
    raise RuntimeError("the first attempt fails")

retried()
"""


def unit(name: str, instance: str, root: Path) -> tuple[list[str], dict[str, str]]:
    """Command and settings of a systemd unit, with this environment's programs and `root` for the file system."""
    text = (DEPLOYMENTS / "systemd" / name).read_text(encoding="utf-8").replace("%i", instance).replace("%H", "test")
    text = text.replace("/opt/rhapsody/.venv/bin", str(Path(sys.executable).parent))
    text = text.replace("/opt/rhapsody/deployments", str(DEPLOYMENTS)).replace("/var/", f"{root}/var/")
    lines = dict(re.findall(r"^(ExecStart)=(.*)$", text, re.MULTILINE))
    env: dict[str, str] = {}
    for source in re.findall(r"^EnvironmentFile=(.*)$", text, re.MULTILINE):
        if source.startswith(str(DEPLOYMENTS)):
            env |= env_file(Path(source).stem)
    for assigned in re.findall(r"^Environment=(.*)$", text, re.MULTILINE):
        env |= dict(pair.split("=", 1) for pair in shlex.split(assigned))
    return shlex.split(lines["ExecStart"]), env


@dataclass
class Site:
    """Everything of the page, on this machine."""

    folder: Path
    postgres: Postgres
    redis: RedisServer
    bind: int = field(default_factory=free_port)
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    processes: dict[str, ServerProcess] = field(default_factory=dict)

    @property
    def server_secrets(self) -> dict[str, str]:
        """What /etc/rhapsody/secrets.env holds on a machine of the Prefect server."""
        database = self.postgres.url.rsplit("/", 1)[0] + "/rhapsody"
        return {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
            "PREFECT_REDIS_MESSAGING_URL": self.redis.url,
            "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": self.redis.url,
            "PREFECT_SERVER_DOCKET_URL": self.redis.url.replace("/0", "/1"),
            "PREFECT_SERVER_API_AUTH_STRING": AUTH,
            "PREFECT_UI_URL": f"http://127.0.0.1:{self.bind}",
        }

    @property
    def client_secrets(self) -> dict[str, str]:
        """What it holds on a worker, and where one deploys."""
        return {
            "PREFECT_API_URL": f"http://127.0.0.1:{self.bind}/api",
            "PREFECT_API_AUTH_STRING": AUTH,
            "RHAPSODY_STORE": str(self.folder / "store"),
        }

    @property
    def operator(self) -> dict[str, str]:
        """The environment of the person who follows the page."""
        path = os.pathsep.join(
            [str(Path(sys.executable).parent), str(Path(program("createdb")).parent), os.environ["PATH"]]
        )
        own = {
            "PATH": path,
            "COLUMNS": "200",
            "PREFECT_HOME": str(self.folder / "operator"),
            "BACKUP": str(self.folder / "prefect.dump"),
        }
        return {**self.postgres.client_env(), **env_file("worker"), **self.server_secrets, **self.client_secrets, **own}

    @property
    def api(self) -> Api:
        """The API behind the proxy."""
        return Api(f"http://127.0.0.1:{self.bind}/api", AUTH)

    def run(self, block: str) -> str:
        """Execute a block of the page, line by line as a shell would, stopping at the first that fails."""
        command = ["/bin/sh", "-euc", BLOCKS[f"run={block}"]]
        done = subprocess.run(
            command, check=False, cwd=ROOT, env=self.operator, capture_output=True, text=True, timeout=180
        )
        assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def start_unit(self, name: str, instance: str = "") -> ServerProcess:
        """Start a unit's command; it has no more than the unit gives it."""
        command, env = unit(name, instance, self.folder)
        for variable in ("PREFECT_HOME", "RHAPSODY_HOME"):
            if variable in env:
                Path(env[variable]).mkdir(parents=True, exist_ok=True)
        if name == "rhapsody-proxy.service":
            first, second = self.ports
            env = {"RHAPSODY_API_BIND": f"127.0.0.1:{self.bind}"}
            env |= {"RHAPSODY_API_1": f"127.0.0.1:{first}", "RHAPSODY_API_2": f"127.0.0.1:{second}"}
        log = self.folder / f"{name}.{instance}.log"
        secrets = self.client_secrets if "worker" in name else self.server_secrets
        process = ServerProcess(command, log, clean_env(**{**secrets, **env}), env.get("RHAPSODY_HOME", self.folder))
        process.spawn()
        self.processes[f"{name}{instance}"] = process
        return process

    def start_servers(self) -> None:
        """What `systemctl enable --now` of section 4 starts."""
        for port in self.ports:
            self.start_unit("rhapsody-api@.service", str(port))
        self.start_unit("rhapsody-services.service")
        self.start_unit("rhapsody-proxy.service")

    def stop_servers(self) -> None:
        """End all of them."""
        for process in self.processes.values():
            process.stop()
        self.processes.clear()


@pytest.fixture
def site(tmp_path):
    if not shutil.which("haproxy"):
        pytest.skip("needs haproxy: not on this machine")
    pytest.importorskip("prefect_redis", reason="needs the extra 'scale'")
    postgres = Postgres()
    made = Site(tmp_path, postgres, RedisServer(tmp_path / "redis"))
    try:
        postgres.start()
        made.redis.start()
        yield made
    finally:
        made.stop_servers()
        made.redis.stop()
        postgres.remove()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_from_nothing_to_a_restored_backup(site, trained):
    site.run("database")
    site.run("migrate")
    site.start_servers()
    site.run("status")
    with pytest.raises(urllib.error.HTTPError) as refused:
        Api(site.api.url).deployments()
    assert refused.value.code == 401
    refused.value.close()
    assert Api(site.api.url).call("GET", "/health") is True
    # The browser is told an address that is right wherever it is.
    page = Api(site.api.url.removesuffix("/api"), AUTH)
    assert page.call("GET", "/ui-settings")["api_url"] == "/api"

    for port in site.ports:  # both, not only the one that the proxy found first
        wait_until(lambda port=port: listens(port), f"the replica on port {port}")
    site.run("doctor")
    listed = site.run("deploy")
    assert "cpu-pool" in listed and "rhapsody: zombie runs" in listed and "retrain/weekly" in listed
    worker = site.start_unit("rhapsody-worker@.service", "cpu-pool")
    site.run("workers")
    site.run("schedule")
    assert site.api.deployments()["retrain/weekly"]["schedules"][0]["active"] is True

    _a_run_is_retried_while_a_replica_dies(site)

    # The other replica alone hands work to the worker, which had its connections to the first.
    site.run("song")
    song = site.api.all_of("/flow_runs", sort="EXPECTED_START_TIME_DESC", flows={"name": {"any_": ["generate-song"]}})[
        0
    ]
    assert "train" in site.api.wait_for(song["id"], "FAILED", "CRASHED")["message"].lower()
    assert worker.alive()
    site.run("watch")
    site.run("notify")
    assert "slack-webhook" in {one["slug"] for one in site.api.all_of("/block_types")}

    _rolled_back(site, trained)
    site.run("backup")
    site.stop_servers()
    logs = {path.name: path.read_text(encoding="utf-8") for path in site.folder.glob("rhapsody-*.log")}
    assert not [name for name, text in logs.items() if "UniqueViolation" in text or "localhost:6379" in text]
    site.run("restore")
    site.start_servers()
    site.run("status")
    assert len(site.api.deployments()) == 7
    assert site.api.state(song["id"])["type"] == "FAILED"


def _a_run_is_retried_while_a_replica_dies(site: Site) -> None:
    """A flow that fails once: between its two attempts, one of the two replicas is killed."""
    script, started, go = (site.folder / name for name in ("retried.py", "started", "go"))
    script.write_text(RETRIED, encoding="utf-8")
    command = [sys.executable, script, started, go]
    flow = ServerProcess(command, site.folder / "retried.log", site.operator, site.folder)
    flow.spawn()
    wait_until(lambda: started.exists() or not flow.alive(), "the first attempt")
    killed = site.processes.pop(f"rhapsody-api@.service{site.ports[0]}")
    killed.kill()
    assert not listens(site.ports[0])
    go.touch()
    wait_until(lambda: not flow.alive(), "the end of the flow", 180)
    runs = site.api.all_of("/flow_runs", flows={"name": {"any_": ["retried"]}})
    assert [(run["state_type"], run["run_count"]) for run in runs] == [("COMPLETED", 2)], flow.log_end()


def _rolled_back(site: Site, trained: Trained) -> None:
    """Section 10 on a store with two releases: the older one is live again, under a new number."""
    shutil.copytree(trained.store, site.folder / "store", dirs_exist_ok=True)
    store = Store(str(site.folder / "store"))
    older = live_release(store)
    refs = {
        kind: store.build(Recipe(kind, 1, {"made": "newer"}, {}), lambda folder: (folder / "file").write_text("data"))
        for kind in RELEASE_KINDS
    }
    newer = publish_release(store, refs, {}, reason="newer")
    site.run("rollback")
    live = live_release(store)
    assert live.number == 3 and live.refs == older.refs != newer.refs


def test_every_command_of_the_page_is_run():
    """A block is executed above, or is a script's; nothing else looks like a command."""
    executed = set(re.findall(r'\.run\("(\S+?)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert {name.removeprefix("run=") for name in BLOCKS if name.startswith("run=")} == executed
    assert len(re.findall(r"^```\w", PAGE, re.MULTILINE)) == len(BLOCKS)
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in (DEPLOYMENTS / "scripts").glob("*.sh")}
    assert set(scripts) == {name.removeprefix("host=") for name in BLOCKS if name.startswith("host=")}
    for name, text in scripts.items():
        lines = [line for line in text.splitlines() if line and not line.startswith(("#", "set -eu"))]
        assert "\n".join(lines) + "\n" == BLOCKS[f"host={name}"]


@pytest.mark.parametrize("script", sorted((DEPLOYMENTS / "scripts").glob("*.sh")), ids=lambda path: path.stem)
def test_a_script_runs_through_with_stand_ins(script, tmp_path):
    """`systemctl`, `useradd`, `pip` ... only note how they were called; the real `install` works below a folder."""
    noted, bin_folder = tmp_path / "noted", tmp_path / "bin"
    bin_folder.mkdir()
    for name in ("systemctl", "useradd", "python3", "install", "pip", "id"):
        stand_in = bin_folder / name
        stand_in.write_text(f'#!/bin/sh\necho {name} "$@" >> {noted}\n', encoding="utf-8")
        stand_in.chmod(0o755)
    (bin_folder / "id").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")  # a machine without such a user
    text = script.read_text(encoding="utf-8").replace("/opt/rhapsody/.venv/bin", str(bin_folder))
    text = text.replace("/opt/rhapsody", str(ROOT))
    env = clean_env(PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}", RHAPSODY_EXTRAS="orchestrate,scale")
    etc = tmp_path / "etc"
    text = text.replace("/etc/rhapsody", str(etc))

    def run() -> list[str]:
        noted.unlink(missing_ok=True)
        done = subprocess.run(["/bin/sh", "-c", text], check=False, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return noted.read_text(encoding="utf-8").splitlines()

    calls = run()
    assert len(calls) == len([line for line in text.splitlines() if line and not line.startswith(("#", "set -eu"))])
    # The second time is an upgrade: the user is there, and so are the secrets, which must stay.
    (bin_folder / "id").write_text("#!/bin/sh\n", encoding="utf-8")
    etc.mkdir()
    (etc / "secrets.env").write_text("kept", encoding="utf-8")
    once = [call for call in calls if call.startswith(("useradd", "install -m 0640"))]
    assert run() == [call for call in calls if call not in once]
    assert len(once) == (2 if script.stem == "install" else 0)
    units = {path.name for path in (DEPLOYMENTS / "systemd").glob("*.service")}
    for call in calls:
        for named in re.findall(r"rhapsody-[a-z]+@?", call) if call.startswith("systemctl") else []:
            assert f"{named}.service" in units
        for source in [word for word in call.split() if word.startswith(str(DEPLOYMENTS))]:
            assert Path(source).exists()
