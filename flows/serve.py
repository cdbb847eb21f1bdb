"""`rhapsody serve`: Prefect server, both pools, a worker each, all deployments, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from flows import console
from flows.operating.checkout import DeployError, checkout, private
from flows.operating.machine import POOLS, Machine, OnlyOne, check_port
from flows.operating.processes import Supervised, end
from rhapsody_lib.optional import is_installed, require

#: A part that is not up after so many seconds will not be.
START_DEADLINE_S = 180
#: What runs may take to be cancelled, and then what workers and server may take to end, before they are killed.
CANCEL_DEADLINE_S = 6
STOP_DEADLINE_S = 8


def serve(
    port: Annotated[int, typer.Option(help="Port of 127.0.0.1 for API and UI.", min=1, max=65535)] = 4200,
    home: Annotated[
        Path | None, typer.Option(help="Folder of database, workers and logs. Default: the user's data folder.")
    ] = None,
    store: Annotated[
        str, typer.Option("--store", envvar="RHAPSODY_STORE", help="Where artifacts are kept: a folder or s3://...")
    ] = "",
) -> None:
    """One machine: Prefect server and UI, both work pools, a worker each, all deployments. Ctrl-C ends it."""
    import platformdirs

    from rhapsody_lib.artifacts import Store, default_root

    # Not imported before the server's address is known: Prefect reads its settings once.
    if not is_installed("prefect"):
        require("prefect")
    checkout()
    folder = (home or Path(platformdirs.user_data_dir("rhapsody")) / "server").expanduser().absolute()
    address = store or default_root()
    address = address if "://" in address else str(Path(address).expanduser().absolute())
    Store(address)  # said now, not by the first run
    machine = Machine(folder, port, address)
    only_one = OnlyOne(machine)
    check_port(port)
    Serving(machine).run()
    del only_one


class Interrupts:
    """Counts SIGINT, SIGTERM and SIGHUP: the first ends everything in order, the second at once."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


class Serving:
    """One `rhapsody serve`, from the first process to the last."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.interrupts = machine, Interrupts()
        self.server: Supervised | None = None
        self.workers: list[Supervised] = []

    def run(self) -> None:
        """Start everything, keep it running until a signal comes, end everything."""
        start_s = time.monotonic()
        try:
            self._start()
            if not self.interrupts.count:
                self._announce(time.monotonic() - start_s)
            while not self.interrupts.count:
                for process in self._processes():
                    line = process.revive()
                    if line:
                        console.say(line)
                time.sleep(0.2)
        except DeployError:
            # A part that did not come up while everything is being ended is no error.
            if not self.interrupts.count:
                raise
        finally:
            self._stop()

    def _processes(self) -> list[Supervised]:
        return [*([self.server] if self.server else []), *self.workers]

    def _start(self) -> None:
        from flows.deploy import deploy_to
        from flows.operating.pools import PoolType

        machine = self.machine
        console.say(f"Starting the Prefect server on {machine.url} ...")
        self.server = machine.server()
        self.server.start()
        self._wait(self.server, machine.healthy)
        if self.interrupts.count:
            return
        # From here on this process is a client of that server, and so is the `prefect deploy` it starts.
        inherited = machine.environment(private(machine.home / "client"))
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            del os.environ[name]
        os.environ.update(inherited)
        self._make_pools()
        console.say("Starting a worker for each pool ...")
        self.workers = [machine.worker(pool) for pool in POOLS]
        for worker in self.workers:
            worker.start()
        deploy_to(machine.api_url, PoolType.PROCESS, {}, "", console.say)
        for pool, worker in zip(POOLS, self.workers, strict=True):
            self._wait(worker, lambda pool=pool: machine.online(pool))  # type: ignore[misc]

    def _make_pools(self) -> None:
        """Make the pools first, so that the workers start up while the deployments are made."""
        from prefect.client.orchestration import get_client

        from flows.operating.pools import PoolType, make_pools

        with get_client(sync_client=True) as client:
            make_pools(client, checkout() / "deployments" / "work_pools", PoolType.PROCESS, {}, lambda _: None)

    def _wait(self, process: Supervised, ready: Callable[[], bool]) -> None:
        until_s = time.monotonic() + START_DEADLINE_S
        while not self.interrupts.count and not ready():
            if not process.running() or time.monotonic() > until_s:
                how = "ended" if not process.running() else f"is not ready after {START_DEADLINE_S} s"
                raise DeployError(f"The {process.name} {how}. Its log, {process.log}, ends:\n{process.last_lines()}")
            time.sleep(0.1)

    def _announce(self, seconds: float) -> None:
        machine = self.machine
        console.say(
            f"\nReady after {seconds:.0f} s.\n"
            f"  UI     {machine.url}\n"
            f"  store  {machine.store}\n"
            f"  logs   {machine.logs}\n\n"
            "In another terminal:\n"
            f"  export PREFECT_API_URL={machine.api_url}\n"
            "  prefect deployment run retrain/weekly\n"
            '  prefect deployment run generate-song/adhoc -p prompt="the sky is blue"\n\n'
            "Ctrl-C ends it all; what is trained and made is kept.\n"
        )

    def _stop(self) -> None:
        """Runs first, while the server can still note their end; then the server."""
        console.say("Ending workers and their runs ...")
        seen = self.interrupts.count

        def hurry() -> bool:
            return self.interrupts.count > max(seen, 1)

        reachable = bool(self.workers) and self.server is not None and self.server.running()
        if reachable and not hurry():
            self._cancel_runs(hurry)
        end(self.workers, STOP_DEADLINE_S, hurry)
        if reachable and not hurry():
            # No worker is left that could note it.
            self._note_end("CANCELLED", "'rhapsody serve' was ended.")
        end([self.server] if self.server is not None else [], STOP_DEADLINE_S, hurry)
        console.say("Ended.")

    def _cancel_runs(self, hurry: Callable[[], bool]) -> None:
        """Let the workers cancel what runs: what only lost its process would count as crashed, and be restarted."""
        until_s = time.monotonic() + CANCEL_DEADLINE_S
        left = self._note_end("CANCELLING", "'rhapsody serve' is being ended.")
        while left and not hurry() and time.monotonic() < until_s:
            time.sleep(0.3)
            left = self._note_end("", "")

    def _note_end(self, state: str, message: str) -> int:
        """Put every run that has not ended into a state (none if empty); returns how many there were."""
        import httpx
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import FlowRunFilter
        from prefect.client.schemas.objects import State, StateType
        from prefect.exceptions import PrefectHTTPStatusError

        unfinished = FlowRunFilter.model_validate(
            {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING", "PAUSED"]}}}
        )
        try:
            with get_client(sync_client=True) as client:
                # What is suspended has no process, and may be resumed another day.
                found = client.read_flow_runs(flow_run_filter=unfinished)
                runs = [run for run in found if run.state_name != "Suspended"]
                for run in runs if state else []:
                    client.set_flow_run_state(run.id, State(type=StateType(state), message=message), force=True)
        except (httpx.HTTPError, PrefectHTTPStatusError) as error:
            console.say(f"The server did not take the end of the runs: {error}")
            return 0
        return len(runs)
