"""What the log of a run says of an error that a user can mend: its one message, once, and no traceback.

Prefect logs an exception where the task ends, where the flow ends and where the process ends, each time with the whole
traceback. Only the log is changed here: states, results and retries are Prefect's own.
"""

from __future__ import annotations

import logging
import os

from rhapsody_lib.errors import RhapsodyError

#: Prefect's loggers of runs, and of the process of one.
_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")
_TOLD = "_told_in_the_log"


def _one_line(record: logging.LogRecord) -> bool:
    """Filter of a logger: make a record with the traceback of a mendable error its message, or drop a repeated one."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, RhapsodyError) or os.environ.get("RHAPSODY_DEBUG"):
        return True
    told = getattr(error, _TOLD, False)
    setattr(error, _TOLD, True)
    record.msg, record.args, record.exc_info, record.exc_text = str(error), (), None, None
    return not told


def quiet_mendable_errors() -> None:
    """From now on, log mendable errors so; with RHAPSODY_DEBUG=1 the tracebacks stay. Calling it again does nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_one_line)
