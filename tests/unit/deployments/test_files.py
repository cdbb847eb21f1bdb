"""What deployments/ and prefect.yaml name exists: flows, settings, queues, units, services, templates."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.servers.prefect_server import ROOT, env_file

DEPLOYMENTS = ROOT / "deployments"
REGISTRY = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
POOLS = {one["name"]: one for one in yaml.safe_load((DEPLOYMENTS / "work_pools" / "pools.yaml").read_text())["pools"]}
COMPOSE = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text(encoding="utf-8"))
#: Read by other programs than Prefect, or by Prefect's logging.yml.
NOT_PREFECTS = {"DO_NOT_TRACK", "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL"}


def test_every_entry_point_is_a_flow_and_every_flow_is_deployed():
    named = [deployment["entrypoint"] for deployment in REGISTRY["deployments"]]
    flows = {
        f"flows.{path.stem}.{node.name}"
        for path in (ROOT / "flows").glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(d, ast.Call) and getattr(d.func, "id", "") == "flow" for d in node.decorator_list)
    }
    assert set(named) == flows and len(named) == len(flows)


def test_every_deployment_is_ours_described_and_on_a_queue_that_is_made():
    for deployment in REGISTRY["deployments"]:
        pool = deployment["work_pool"]
        queues = {"default"} | {queue["name"] for queue in POOLS[pool["name"]].get("queues", [])}
        assert pool.get("work_queue_name", "default") in queues
        # A command would hold for containers, too, which could then not be cancelled.
        assert pool["job_variables"] == {"stream_output": False}
        # A run that is suspended gives up the lease of its slot, and is killed.
        assert "concurrency_limit" not in deployment
        assert "rhapsody" in deployment["tags"] and deployment["description"]
        assert all(schedule["slug"] and schedule["timezone"] for schedule in deployment.get("schedules", []))


def test_a_retrain_is_alone_in_its_queue_and_in_nobodys_way():
    """It waits for runs of other deployments while it holds its slot: theirs must be other slots."""
    queue_of = {one["entrypoint"].rsplit(".", 1)[1]: one["work_pool"] for one in REGISTRY["deployments"]}
    limits = {
        name: {q["name"]: q.get("concurrency_limit") for q in pool.get("queues", [])} for name, pool in POOLS.items()
    }
    retrain = queue_of["retrain"]
    assert POOLS[retrain["name"]].get("concurrency_limit") is None
    assert limits[retrain["name"]][retrain["work_queue_name"]] == 1
    same = [flow for flow, pool in queue_of.items() if pool.get("work_queue_name") == retrain["work_queue_name"]]
    assert same == ["retrain"]


@pytest.mark.parametrize("name", ["server", "worker", "replicas"])
def test_prefect_knows_every_setting(name):
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_settings_fields

    known = set(_get_settings_fields(Settings))
    assert set(env_file(name)) - NOT_PREFECTS <= known
    assert all(value and not re.search(r"['\"\s]", value) for value in env_file(name).values())


def test_nothing_calls_outside_hosts():
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    assert quiet.items() <= env_file("server").items()
    assert quiet.items() <= env_file("worker").items()
    assert env_file("server")["PREFECT_SERVER_UI_V2_ENABLED"] == "false"
    assert env_file("server")["PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT"] == "false"


def test_a_zombie_has_missed_more_than_one_heartbeat():
    zombie = yaml.safe_load((DEPLOYMENTS / "automations" / "zombie-runs.yaml").read_text(encoding="utf-8"))
    assert zombie["trigger"]["within"] >= 3 * int(env_file("worker")["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])


@pytest.mark.parametrize("path", sorted((DEPLOYMENTS / "automations").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_automation_is_valid_with_and_without_somebody_to_tell(path):
    from uuid import uuid4

    from prefect.events.schemas.automations import AutomationCore

    from flows.operating.automations import PREFIX, _with_block

    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert described["name"].startswith(PREFIX)
    for block in (None, uuid4()):
        actions = _with_block(described["actions"], block)
        made = AutomationCore.model_validate({**described, "actions": actions})
        tells = any(action["type"] == "send-notification" for action in described["actions"])
        assert any(action.type == "send-notification" for action in made.actions) == (tells and block is not None)
        assert made.actions


@pytest.mark.parametrize("path", sorted((DEPLOYMENTS / "work_pools").glob("*.json")), ids=lambda path: path.stem)
def test_a_template_declares_exactly_the_variables_it_uses(path):
    template = json.loads(path.read_text(encoding="utf-8"))
    variables = template["variables"]["properties"]
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert used == set(variables)
    assert variables["stream_output"]["default"] is False
    command = variables["command"].get("default")
    assert command == ("python -m prefect.engine" if path.stem.endswith("process") else None)
    pool, kind = path.stem.rsplit(".", 1)
    assert pool in POOLS
    asks_for_gpu = "gpu" in json.dumps([template["job_configuration"], variables.get("container_create_kwargs", "")])
    if kind != "process":
        assert asks_for_gpu == (pool == "gpu-pool")
        dockerfile = DEPLOYMENTS / "images" / f"{pool.removesuffix('-pool')}.Dockerfile"
        assert f"-t {variables['image']['default']} ." in dockerfile.read_text(encoding="utf-8")


def test_compose_names_what_exists():
    text = (DEPLOYMENTS / "compose.yaml").read_text(encoding="utf-8")
    documented = re.findall(r"^(\w+)=", (DEPLOYMENTS / "secrets.env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"\$\{(\w+)", text)) <= set(documented)
    services = COMPOSE["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert all((DEPLOYMENTS / one).is_file() for one in service.get("env_file", []))
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert re.search(r":[\w.-]*\d", service["image"]), f"{name}: image without a version"
        build = service.get("build")
        assert not build or (ROOT / build["dockerfile"]).is_file()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOYMENTS / source).exists()
        for wanted, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[wanted]
    assert (
        services["api-1"]["command"] == services["api-2"]["command"] and "--no-services" in services["api-1"]["command"]
    )


@pytest.mark.parametrize("path", sorted((DEPLOYMENTS / "images").glob("*.Dockerfile")), ids=lambda path: path.stem)
def test_an_image_is_pinned_and_not_root(path):
    text = path.read_text(encoding="utf-8")
    assert re.search(r"^FROM python:3\.\d+\.\d+-slim-\w+$", text, re.MULTILINE)
    assert "constraints.txt" in text
    if path.stem != "server":
        # What a container of a Docker or Kubernetes pool does not get from the settings of its worker.
        assert {f"{name}={env_file('worker')[name]}" for name in NOT_PREFECTS} <= set(text.split())
    last_user = re.findall(r"^USER (\w+)$", text, re.MULTILINE)[-1]
    assert last_user == "rhapsody" and text.index("USER") > text.rindex("RUN")
    extras = set(re.search(r"\[([\w,]+)\]'", text)[1].split(","))
    wanted = {
        "server": {"orchestrate", "scale"},
        "gpu": {"lyrics", "retrieval", "orchestrate"},
        "cpu": {"backing", "song", "retrieval", "orchestrate"},
    }
    assert extras == wanted[path.stem]


def test_systemd_takes_the_units(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze: not on this machine")
    programs = tmp_path / "opt" / "bin"
    programs.mkdir(parents=True)
    for name in ("prefect", "haproxy"):
        (programs / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    units = []
    for source in sorted((DEPLOYMENTS / "systemd").glob("*.service")):
        text = source.read_text(encoding="utf-8")
        for setting in re.findall(r"^EnvironmentFile=/opt/rhapsody/deployments/(.*)$", text, re.MULTILINE):
            assert (DEPLOYMENTS / setting).is_file()
        assert "Restart=always" in text and "NoNewPrivileges=true" in text
        # systemd looks for the programs: stand-ins for what is installed elsewhere.
        text = text.replace("/opt/rhapsody/.venv/bin/", f"{programs}/").replace(
            "/usr/sbin/haproxy", f"{programs}/haproxy"
        )
        unit = tmp_path / source.name.replace("@", "@one")
        unit.write_text(text, encoding="utf-8")
        units.append(str(unit))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], check=False, capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if "rhapsody" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_a_worker_writes_nowhere_but_in_its_own_folders():
    text = (DEPLOYMENTS / "systemd" / "rhapsody-worker@.service").read_text(encoding="utf-8")
    assert "ProtectSystem=strict" in text
    folders = {f"/var/lib/{one}" for one in re.search(r"^StateDirectory=(.*)$", text, re.MULTILINE)[1].split()}
    folders.add("/var/cache/" + re.search(r"^CacheDirectory=(.*)$", text, re.MULTILINE)[1])
    for name in ("HOME", "PREFECT_HOME", "RHAPSODY_HOME", "RHAPSODY_CACHE"):
        assert re.search(rf"[= ]{name}=(\S+)", text)[1] in folders


def test_haproxy_takes_its_configuration():
    if not shutil.which("haproxy"):
        pytest.skip("needs haproxy: not on this machine")
    env = {"RHAPSODY_API_BIND": "127.0.0.1:1", "RHAPSODY_API_1": "127.0.0.1:2", "RHAPSODY_API_2": "127.0.0.1:3"}
    command = [shutil.which("haproxy"), "-c", "-f", str(DEPLOYMENTS / "haproxy.cfg")]
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()


def test_the_flow_name_of_an_entry_point_is_its_flows_own():
    from flows.operating.registry import wanted_deployments

    for name, one in wanted_deployments(ROOT / "prefect.yaml").items():
        module = Path(ROOT / (one["entrypoint"].rsplit(".", 1)[0].replace(".", "/") + ".py"))
        assert f'name="{name.split("/")[0]}"' in module.read_text(encoding="utf-8")
