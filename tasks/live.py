"""How far a task is, while it runs: log lines, a progress bar on the run's page, curves of a training.

Bars and curves are sent by a thread of their own with short timeouts, so that a Prefect server that is slow or away
holds up no training: what could not be sent is sent later.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from rhapsody_lib.progress import Progress, Recorder, recording, reporting
from tasks.charts import SVG, data_uri, loss_curves, split_name
from tasks.markup import cell

LINE_INTERVAL_S, SEND_INTERVAL_S, CURVES_INTERVAL_S = 5.0, 2.0, 10.0
REQUEST_TIMEOUT_S = 5.0
#: How long the end of a task waits for the last bar and curves to be sent.
LAST_SEND_TIMEOUT_S = 15.0


def time_words(seconds: float) -> str:
    """Seconds as `0:40`, `1:40` or `2:05:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Work:
    """One piece of work: how far it is, and how long it will take at the speed it had so far.

    The speed is measured from the first report, for work that goes on from a saved state begins in the middle, and
    what comes before the first report is loading.

    Args:
        what: its name.
        now_s: the time it began.
    """

    def __init__(self, what: str, now_s: float) -> None:
        self.what, self.done, self.total, self.note, self.over = what, 0, 0, "", False
        self._began_s, self._first_s, self._first_done, self._now_s = now_s, now_s, 0, now_s

    def report(self, done: int, total: int, note: str, now_s: float) -> None:
        """Take a report."""
        if not self.total:
            self._first_s, self._first_done = now_s, done
        self.done, self.total, self.note, self._now_s = done, total, note, now_s

    @property
    def left_s(self) -> float | None:
        """Seconds left; none where that cannot be told yet, or nothing is left."""
        done, taken_s = self.done - self._first_done, self._now_s - self._first_s
        if not done and self._first_done == 1:
            done, taken_s = 1, self._now_s - self._began_s
        return taken_s / done * (self.total - self.done) if done > 0 and self.done < self.total else None

    @property
    def percent(self) -> float:
        """Share done, from 0 to 100; what was over before its last unit is done."""
        if self.over:
            return 100.0
        return min(100.0, 100.0 * self.done / self.total) if self.total else 0.0

    def words(self, quoted: Callable[[str], str] = str) -> str:
        """Such as `Training lyrics: 3 of 20, perplexity 151, about 1:40 left`; `quoted` is put on what is not ours."""
        what, note = quoted(self.what), quoted(self.note)
        if not self.total:
            return f"{what}: starting"
        left = "" if self.left_s is None else f"about {time_words(self.left_s)} left"
        left = "ended early" if self.over else left
        return ", ".join(part for part in (f"{what}: {self.done} of {self.total}", note, left) if part)


class Shown(Protocol):
    """What is on the run's page and changes while the task runs."""

    kind: str
    key: str
    changed: bool
    #: It is sent no more often.
    interval_s: float
    #: Whether it is worth showing of a task that was over before anything was sent.
    lasting: bool

    def content(self) -> tuple[Any, str]:
        """Data and description of the artifact."""


class Bar:
    """A progress bar."""

    kind, lasting, interval_s = "progress", False, SEND_INTERVAL_S

    def __init__(self, key: str, work: Work) -> None:
        self.key, self.work, self.changed = key, work, True

    def content(self) -> tuple[Any, str]:
        """Percent, and the words."""
        return round(self.work.percent, 1), self.work.words(cell)


class Curves:
    """The curves of a training."""

    kind, lasting, interval_s = "image", True, CURVES_INTERVAL_S

    def __init__(self, key: str, what: str) -> None:
        self.key, self.what, self.changed = key, what, False
        self.history: dict[int, dict[str, float]] = {}

    def content(self) -> tuple[Any, str]:
        """The picture, and the figures of the last epoch."""
        history = dict(self.history)
        last = max(history)
        figures = ", ".join(f"{' '.join(split_name(name))} {value:.4g}" for name, value in history[last].items())
        return data_uri(loss_curves(history), SVG), cell(f"{self.what}, epoch {last}: {figures}")


class Page:
    """What a task shows on its page, and the thread that sends it.

    Args:
        task_run_id: the task run.
        flow_run_id: the flow run that it is part of; none if it is part of none.
        warn: told once each time the server is away.
    """

    def __init__(self, task_run_id: UUID, flow_run_id: UUID | None, warn: Callable[[str], None]) -> None:
        self._run = {"task_run_id": task_run_id, "flow_run_id": flow_run_id}
        self._warn, self._warned = warn, False
        self._shown: list[Shown] = []
        #: Of what is there: its artifact, and when it was last sent.
        self._sent: dict[int, tuple[UUID, float]] = {}
        self._over = threading.Event()
        # The thread sees the settings of this task: a copy of its context.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._send_all,), name="run-page", daemon=True)

    def add(self, shown: Shown) -> None:
        """Show one thing more."""
        self._shown.append(shown)
        if not self._thread.is_alive() and not self._over.is_set():
            self._thread.start()

    def close(self) -> None:
        """Send what has changed, within `LAST_SEND_TIMEOUT_S`, and end."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(LAST_SEND_TIMEOUT_S + REQUEST_TIMEOUT_S)

    def _send_all(self) -> None:
        # The client's own patience is for calls that must succeed.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            while not self._over.wait(SEND_INTERVAL_S):
                self._send_changed([shown for shown in self._shown if self._is_due(shown)])
            last = [shown for shown in self._shown if shown.lasting or id(shown) in self._sent]
            until_s = time.monotonic() + LAST_SEND_TIMEOUT_S
            while not self._send_changed(last) and time.monotonic() < until_s:
                time.sleep(SEND_INTERVAL_S)

    def _is_due(self, shown: Shown) -> bool:
        sent = self._sent.get(id(shown))
        return sent is None or time.monotonic() - sent[1] >= shown.interval_s

    def _send_changed(self, among: list[Shown]) -> bool:
        """Send those that have changed; whether all are sent."""
        with ExitStack() as stack:
            client: SyncPrefectClient | None = None
            for shown in among:
                if not shown.changed:
                    continue
                # What changes from here on is sent the next time.
                shown.changed = False
                try:
                    client = client or stack.enter_context(
                        get_client(sync_client=True, httpx_settings={"timeout": REQUEST_TIMEOUT_S})
                    )
                    self._send(client, shown)
                except Exception as error:  # whatever it is, no training fails of it
                    shown.changed = True
                    self._complain(error)
                    return False
                self._warned = False
        return True

    def _send(self, client: SyncPrefectClient, shown: Shown) -> None:
        data, description = shown.content()
        sent = self._sent.get(id(shown))
        if sent is None:
            request = ArtifactCreate(key=shown.key, type=shown.kind, data=data, description=description, **self._run)
            artifact_id = client.create_artifact(request).id
        else:
            artifact_id = sent[0]
            client.update_artifact(artifact_id, ArtifactUpdate(data=data, description=description))
        self._sent[id(shown)] = (artifact_id, time.monotonic())

    def _complain(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"The page of this run is not up to date ({type(error).__name__}: {error}). The work goes on.")


@contextmanager
def logged_progress(tell: Callable[[Work], None] | None = None) -> Iterator[None]:
    """Within the block, progress becomes a log line of the run, at most one in five seconds and one at the end.

    Args:
        tell: told of each piece of work when it begins and with each report.
    """
    logger = get_run_logger()
    works: list[Work] = []

    def factory(what: str) -> Progress:
        work, last_s = Work(what, time.monotonic()), 0.0
        works.append(work)
        if tell:
            tell(work)

        def report(done: int, total: int, note: str = "") -> None:
            nonlocal last_s
            now_s = time.monotonic()
            work.report(done, total, note, now_s)
            if done >= total or now_s - last_s >= LINE_INTERVAL_S:
                last_s = now_s
                logger.info("%s", work.words())
            if tell:
                tell(work)

        return report

    with reporting(factory):
        yield
    for work in works:
        if work.done < work.total:
            work.over = True
            logger.info("%s", work.words())
            if tell:
                tell(work)


@contextmanager
def run_page(what: str) -> Iterator[None]:
    """Within the block of a task, progress is log lines and bars, and the figures of each epoch are curves.

    Args:
        what: of lower-case letters and dashes; the artifacts are `<what>-progress` and `<what>-curves`.
    """
    context = TaskRunContext.get()
    if context is None:
        raise RuntimeError("run_page is for the body of a task.")
    page = Page(context.task_run.id, context.task_run.flow_run_id, get_run_logger().warning)
    bars: dict[int, Bar] = {}

    def tell(work: Work) -> None:
        if id(work) in bars:
            bars[id(work)].changed = True
        else:
            bars[id(work)] = Bar(f"{what}-progress", work)
            page.add(bars[id(work)])

    def factory(name: str) -> Recorder:
        curves = Curves(f"{what}-curves", name)
        page.add(curves)

        def record(epoch: int, figures: Mapping[str, float]) -> None:
            curves.history[epoch] = dict(figures)
            curves.changed = True

        return record

    try:
        with logged_progress(tell), recording(factory):
            yield
    finally:
        page.close()
