"""prefect.yaml names what exists."""

from __future__ import annotations

import ast
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent.parent


def test_every_entry_point_is_a_flow_and_every_flow_is_deployed():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    named = {deployment["entrypoint"] for deployment in deployments}
    flows = {
        f"flows/{path.name}:{node.name}"
        for path in (ROOT / "flows").glob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(d, ast.Call) and getattr(d.func, "id", "") == "flow" for d in node.decorator_list)
    }
    assert named == flows
    assert {deployment["work_pool"]["name"] for deployment in deployments} == {"gpu-pool", "cpu-pool"}
