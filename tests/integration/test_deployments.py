"""`rhapsody deploy` to a real Prefect server: twice without harm, schedules that create runs, what is gone is gone."""

from __future__ import annotations

import json
import urllib.error
from datetime import datetime, timezone
from uuid import uuid4

import pytest
import yaml

from tests.servers.api import Api, deploy
from tests.servers.prefect_server import ROOT, PrefectServer
from tests.servers.process import wait_until

#: The scheduler asks every second instead of every minute.
QUICK = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with PrefectServer(tmp_path_factory.mktemp("prefect"), env=QUICK) as started:
        yield started


def _ids(api: Api) -> dict[str, str]:
    """Everything we make on a server, by name."""
    found = {name: one["id"] for name, one in api.deployments().items()}
    for pool in api.all_of("/work_pools"):
        found[pool["name"]] = pool["id"]
        for queue in api.all_of(f"/work_pools/{pool['name']}/queues"):
            found[f"{pool['name']}/{queue['name']}"] = queue["id"]
    found.update({one["name"]: one["id"] for one in api.all_of("/automations")})
    found["schedule"] = api.deployments()["retrain/weekly"]["schedules"][0]["id"]
    return found


def test_deploying_twice_keeps_what_is_there_and_what_the_operator_changed(server, tmp_path):
    env, api = server.client_env(tmp_path / "home", RHAPSODY_HOME=str(tmp_path / "not-a-worker")), Api(server.api_url)
    deploy(env)
    first = _ids(api)
    weekly = api.deployments()["retrain/weekly"]
    assert (
        weekly["pull_steps"][0]["prefect.deployments.steps.set_working_directory"]["directory"]
        == "{{ $RHAPSODY_HOME }}"
    )
    assert {pool["name"]: pool["concurrency_limit"] for pool in api.all_of("/work_pools")} == {
        "gpu-pool": 1,
        "cpu-pool": None,
    }
    queues = {queue["name"]: queue for queue in api.all_of("/work_pools/cpu-pool/queues")}
    order = [name for name in sorted(queues, key=lambda name: queues[name]["priority"]) if name != "default"]
    assert [(name, queues[name]["concurrency_limit"]) for name in order] == [
        ("songs", 4),
        ("steering", None),
        ("retrains", 1),
        ("training", 1),
    ]

    # The cron schedule is no decoration: the server makes runs of it, on Sundays at three.
    def scheduled() -> list[dict[str, str]]:
        return api.all_of("/flow_runs", deployments={"id": {"any_": [weekly["id"]]}})

    wait_until(lambda: len(scheduled()) >= 3, "runs of the weekly schedule")
    starts = [datetime.fromisoformat(run["expected_start_time"].replace("Z", "+00:00")) for run in scheduled()]
    assert all((start.weekday(), start.hour, start.minute) == (6, 3, 0) for start in starts)
    assert all(start > datetime.now(timezone.utc) for start in starts)

    # What an operator changes in the UI survives the next deploy.
    api.call("PATCH", f"/deployments/{weekly['id']}/schedules/{first['schedule']}", {"active": False})
    api.call("PATCH", "/work_pools/gpu-pool", {"concurrency_limit": 2, "is_paused": True})
    api.call("PATCH", "/work_pools/cpu-pool/queues/training", {"concurrency_limit": 3})
    api.call("PATCH", f"/automations/{first['rhapsody: late runs']}", {"enabled": False})
    deploy(env)
    assert _ids(api) == first
    weekly = api.deployments()["retrain/weekly"]
    assert [(one["slug"], one["active"]) for one in weekly["schedules"]] == [("weekly", False)]
    gpu = api.call("GET", "/work_pools/gpu-pool")
    assert (gpu["concurrency_limit"], gpu["is_paused"]) == (2, True)
    assert {q["name"]: q for q in api.all_of("/work_pools/cpu-pool/queues")}["training"]["concurrency_limit"] == 3
    enabled = {one["name"]: one["enabled"] for one in api.all_of("/automations")}
    assert enabled.pop("rhapsody: late runs") is False and all(enabled.values())


def test_what_is_no_longer_described_is_removed_and_what_is_not_ours_stays(server, tmp_path):
    env, api = server.client_env(tmp_path / "home"), Api(server.api_url)
    registry = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    kept = [one for one in registry["deployments"] if one["entrypoint"].endswith(("retrain", "train_encoder"))]
    before = tmp_path / "before.yaml"
    retrain = next(one for one in kept if one["entrypoint"].endswith("retrain"))
    # As an older version had it: a limit that ends every retrain that is suspended.
    retrain["concurrency_limit"] = {"limit": 1, "collision_strategy": "ENQUEUE"}
    before.write_text(yaml.safe_dump({**registry, "deployments": kept}), encoding="utf-8")
    deploy(env, before)
    assert api.deployments()["retrain/weekly"]["global_concurrency_limit"]["limit"] == 1
    assert set(api.deployments()) == {"retrain/weekly", "train-encoder/adhoc"}
    assert len(api.deployments()["retrain/weekly"]["schedules"]) == 1
    foreign = {"name": "theirs", "flow_id": api.deployments()["train-encoder/adhoc"]["flow_id"], "tags": ["theirs"]}
    api.call("POST", "/deployments/", foreign)
    api.call("POST", "/automations/", {**_automation(), "name": "rhapsody: of an older version"})
    api.call("POST", "/automations/", {**_automation(), "name": "theirs"})

    del retrain["schedules"], retrain["concurrency_limit"]
    after = tmp_path / "after.yaml"
    after.write_text(yaml.safe_dump({**registry, "deployments": [retrain]}), encoding="utf-8")
    said = deploy(env, after)
    assert "deployment train-encoder/adhoc removed" in said and "schedule weekly of retrain/weekly removed" in said
    assert set(api.deployments()) == {"retrain/weekly", "train-encoder/theirs"}
    weekly = api.deployments()["retrain/weekly"]
    assert (weekly["schedules"], weekly["global_concurrency_limit"], weekly["concurrency_options"]) == ([], None, None)
    assert api.all_of("/v2/concurrency_limits") == []
    names = {one["name"] for one in api.all_of("/automations")}
    assert "theirs" in names and "rhapsody: of an older version" not in names


def _automation() -> dict[str, object]:
    return {
        "trigger": {"type": "event", "posture": "Reactive", "expect": ["a.test"], "threshold": 1, "within": 0},
        "actions": [{"type": "do-nothing"}],
    }


@pytest.mark.parametrize(
    "template", sorted((ROOT / "deployments" / "work_pools").glob("*.json")), ids=lambda path: path.stem
)
def test_the_server_takes_every_work_pool_template(server, template):
    api = Api(server.api_url)
    kind = template.stem.rsplit(".", 1)[1]
    content = json.loads(template.read_text(encoding="utf-8"))
    name = f"try-{template.stem.replace('.', '-')}"
    api.call("POST", "/work_pools/", {"name": name, "type": kind, "base_job_template": content})
    assert api.call("GET", f"/work_pools/{name}")["base_job_template"] == content
    # A variable that the job uses and nobody declares is refused: the server does look.
    del content["variables"]["properties"]["stream_output"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        api.call("POST", "/work_pools/", {"name": f"{name}-bad", "type": kind, "base_job_template": content})
    assert refused.value.code == 422
    refused.value.close()
    api.call("DELETE", f"/work_pools/{name}")


def _within(api: Api, name: str, seconds: int) -> None:
    """Let an automation act after some seconds instead of minutes."""
    found = next(one for one in api.all_of("/automations") if one["name"] == name)
    kept = {key: found[key] for key in ("name", "description", "enabled", "trigger", "actions")}
    kept["trigger"]["within"] = seconds
    api.call("PUT", f"/automations/{found['id']}", kept)


def _run_in_state(api: Api, deployment: str, *types: str, **parameters: str) -> str:
    run = api.run(deployment, **parameters)
    for one in types:
        api.call("POST", f"/flow_runs/{run}/set_state", {"state": {"type": one}})
    return run


def _handed_out(api: Api) -> set[str]:
    """Runs that a worker of cpu-pool would start now."""
    due = {"scheduled_before": datetime.now(timezone.utc).isoformat()}
    return {one["flow_run"]["id"] for one in api.call("POST", "/work_pools/cpu-pool/get_scheduled_flow_runs", due)}


def test_one_retrain_at_a_time_and_in_nobodys_way(server, tmp_path):
    api = Api(server.api_url)
    deploy(server.client_env(tmp_path / "home"))
    first, second = api.run("retrain/weekly"), api.run("retrain/weekly")
    (handed,) = {first, second} & _handed_out(api)
    waiting = ({first, second} - {handed}).pop()
    for state in ("PENDING", "RUNNING"):
        api.call("POST", f"/flow_runs/{handed}/set_state", {"state": {"type": state}})
    others = {api.run("train-backing/adhoc"), api.run("generate-song/adhoc", prompt="the sky is blue")}
    others.add(api.run("prepare-corpus/adhoc"))
    found = _handed_out(api)
    assert others <= found and waiting not in found
    # One that waits for a person holds no place.
    api.call(
        "POST", f"/flow_runs/{handed}/set_state", {"state": {"type": "PAUSED", "name": "Suspended"}, "force": True}
    )
    assert waiting in _handed_out(api)
    for run in (handed, waiting, *others):
        api.call("DELETE", f"/flow_runs/{run}")


def _event_arrived(api: Api, run: str, name: str) -> bool:
    wanted = {"resource": {"id": [f"prefect.flow-run.{run}"]}, "event": {"name": [name]}}
    return bool(api.call("POST", "/events/filter", {"filter": wanted})["events"])


def _heartbeat(api: Api, run: str) -> None:
    heartbeat = {
        "occurred": datetime.now(timezone.utc).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
        "related": [{"prefect.resource.id": "prefect.tag.rhapsody", "prefect.resource.role": "tag"}],
        "id": str(uuid4()),
    }
    api.call("POST", "/events", [heartbeat])


def test_automations_crash_a_zombie_and_what_is_stuck(server, tmp_path):
    api = Api(server.api_url)
    deploy(server.client_env(tmp_path / "home"))
    _within(api, "rhapsody: stuck in pending", 10)
    _within(api, "rhapsody: zombie runs", 10)
    stuck = _run_in_state(api, "train-lyrics/adhoc", "PENDING")
    zombie, done = (_run_in_state(api, "train-encoder/adhoc", "PENDING", "RUNNING") for _ in range(2))
    # On a busy machine the server may hear of the state after the heartbeat, which then counts as a sign of life.
    for run in (zombie, done):
        wait_until(lambda run=run: _event_arrived(api, run, "prefect.flow-run.Running"), "the event of the state")
        _heartbeat(api, run)
    # An end under a name of our own is an end.
    api.call("POST", f"/flow_runs/{done}/set_state", {"state": {"type": "COMPLETED", "name": "Cached"}})
    assert api.wait_for(stuck, "CRASHED", deadline_s=90)["name"] == "NeverStarted"
    assert "No heartbeat for 150 s" in api.wait_for(zombie, "CRASHED", deadline_s=90)["message"]
    assert api.state(done)["name"] == "Cached"


def test_a_server_that_is_away_is_one_clear_error(server, tmp_path):
    env = server.client_env(tmp_path / "home", PREFECT_API_URL="http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES="0")
    with pytest.raises(AssertionError, match=r"127\.0\.0\.1:9/api cannot be reached") as failed:
        deploy(env)
    assert "Traceback" not in str(failed.value)


def test_without_a_server_nothing_is_deployed_into_thin_air(server, tmp_path):
    env = server.client_env(tmp_path / "home")
    del env["PREFECT_API_URL"]
    with pytest.raises(AssertionError, match="set PREFECT_API_URL"):
        deploy(env)
