"""A store that is not on this disk: how it is opened, what is tried again and for how long, what an error means.

An operation on a store goes through `Store.remote(what, function, *arguments)`, or one of the methods built on it
(`read`, `write`, `put_file`, `get_file`, `listing`, `remove` ...). What passes (no connection, a timeout, a server that
is restarting or asks for less) is tried again with growing, jittered waits for RHAPSODY_STORE_PATIENCE_S seconds, each
wait one warning in the log. What does not pass (no rights, no bucket, a full disk) is one StoreError at once.
A missing or an existing object is no failure: FileNotFoundError and FileExistsError reach the caller as they are.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import os
import time
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import fsspec

from rhapsody_lib.errors import FullDiskError, InputError, StoreAccessError, StoreError

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_VARIABLE = "RHAPSODY_STORE_PATIENCE_S"
PATIENCE_S = 180.0
#: Waits double from the first to the longest; the jitter is there so that many workers do not knock at once.
FIRST_WAIT_S, LONGEST_WAIT_S, JITTER_S = 0.5, 15.0, 1.0
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 60

_S3 = ("s3", "s3a")
_PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_PASSING_CODES = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException"}
    | {"RequestLimitExceeded", "OperationAborted", "ConditionalRequestConflict", "XAmzContentSHA256Mismatch"}
)
_BAD_CREDENTIALS = frozenset({"SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken", "403"})
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def patience_s() -> float:
    """For how long a store that does not answer is asked again, in seconds.

    Raises:
        InputError: the variable is no number of seconds.
    """
    text = os.environ.get(PATIENCE_VARIABLE, "")
    try:
        seconds = float(text) if text else PATIENCE_S
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{PATIENCE_VARIABLE}={text}: is not a number of seconds, such as {PATIENCE_S:.0f}.")
    return seconds


def file_system(protocol: str) -> fsspec.AbstractFileSystem:
    """The file system of a protocol, one a process and a set of AWS_* variables.

    fsspec would keep one a thread for ever; all of them share one event loop anyway. A forked child gets its own.
    """
    chosen = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return _file_system(protocol, os.getpid(), chosen if protocol in _S3 else ())


@functools.lru_cache(maxsize=8)
def _file_system(protocol: str, _pid: int, _variables: tuple[tuple[str, str], ...]) -> fsspec.AbstractFileSystem:
    if protocol not in _S3:
        return fsspec.filesystem(protocol)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ("us-east-1" if endpoint else None)
    opened = fsspec.filesystem(
        "s3",
        skip_instance_cache=True,
        use_listings_cache=False,
        endpoint_url=endpoint,
        client_kwargs={"region_name": region} if region else {},
        config_kwargs={
            # A server of one's own seldom has a name for each bucket.
            "s3": {"addressing_style": "path"} if endpoint else {},
            # Each retry is ours, with its warning. The digests are ours too: every file is verified when it is read.
            "retries": {"max_attempts": 0},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
        },
    )
    opened.retries = 3  # bridges a dropped connection in the middle of a large file without starting it again
    return opened


def remote_failures() -> tuple[type[Exception], ...]:
    """What clients of remote stores raise besides OSError, such as missing credentials or a connection that broke."""
    from aiohttp import ClientError
    from botocore.exceptions import BotoCoreError

    return (BotoCoreError, ClientError, asyncio.TimeoutError)


def failures() -> tuple[type[Exception], ...]:
    """All that an operation on a store may fail with; ValueError is what botocore says of an odd address."""
    return (OSError, ValueError, *remote_failures())


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full; some libraries say so in words alone."""
    return getattr(error, "errno", None) in _FULL or "No space left on device" in str(error)


def is_forbidden(error: BaseException) -> bool:
    """Whether an error says that a file system may not be written, or that this user may not."""
    return getattr(error, "errno", None) in _FORBIDDEN


def _response(error: BaseException) -> tuple[str, int]:
    """Code and HTTP status of the answer that an error came from, if it came from one."""
    cause: BaseException | None = error
    while cause is not None:
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return str(response.get("Error", {}).get("Code", "")), int(status)
        cause = cause.__cause__
    return "", 0


def passing(error: BaseException) -> bool:
    """Whether the same call may succeed later, with nobody mending anything in between."""
    code, status = _response(error)
    if code or status:
        return code in _PASSING_CODES or status in _PASSING_STATUS
    if isinstance(error, ConnectionError | TimeoutError | asyncio.TimeoutError):
        return True
    if type(error).__module__.partition(".")[0] not in ("botocore", "aiobotocore", "aiohttp", "urllib3"):
        return False
    from aiohttp import ClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError
    from botocore.exceptions import HTTPClientError, IncompleteReadError, SSLError
    from botocore.parsers import ResponseParserError

    kinds = (BotoConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError, ClientError)
    return isinstance(error, kinds) and not isinstance(error, SSLError)


def call(root: str, what: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that speaks to the store at `root`, again while its failures pass.

    Args:
        root: address of the store, for messages.
        what: what is done, to go on after "could not", e.g. "read store.json".
        function: called with the other arguments, once or more.
        *args: for the function.
        **kwargs: for the function.

    Raises:
        FileNotFoundError: there is no such object.
        FileExistsError: there is one already.
        StoreAccessError: the store refuses, for want of rights, credentials or a bucket.
        StoreError: anything else that went wrong, or the store did not answer in `patience_s()`.
    """
    try:
        return function(*args, **kwargs)
    except (FileNotFoundError, FileExistsError) as error:
        _raise(root, what, error)
    except failures() as error:
        if not passing(error):
            _raise(root, what, error)
    return _again(root, what, functools.partial(function, *args, **kwargs))


def _again(root: str, what: str, function: Callable[[], T]) -> T:
    import tenacity

    patience, started = patience_s(), time.monotonic()

    def say(state: tenacity.RetryCallState) -> None:
        left = max(0.0, patience - (time.monotonic() - started))
        reason = state.outcome.exception() if state.outcome else None
        wait_s = state.next_action.sleep if state.next_action else 0.0
        words = f"({str(reason)[:200]}); trying again in {wait_s:.1f} s, for up to {left:.0f} s more"
        logger.warning("%s: the store does not answer %s", root, words)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(passing),
        wait=tenacity.wait_exponential(FIRST_WAIT_S, max=LONGEST_WAIT_S) + tenacity.wait_random(0, JITTER_S),
        stop=tenacity.stop_after_delay(patience),
        before_sleep=say,
        reraise=True,
    )
    try:
        result = retrying(function)
    except failures() as error:
        if passing(error):
            raise StoreError(
                f"{root}: the store does not answer since {time.monotonic() - started:.0f} s: could not {what} "
                f"({error}). See that it runs and that AWS_ENDPOINT_URL is right; {PATIENCE_VARIABLE} says how "
                "long to wait."
            ) from error
        _raise(root, what, error)
    waited_s = time.monotonic() - started
    if waited_s > FIRST_WAIT_S:
        logger.warning("%s: the store answers again, after %.0f s", root, waited_s)
    return result


def _raise(root: str, what: str, error: Exception) -> NoReturn:
    """Raise what an error that does not pass means to whoever runs this."""
    code, status = _response(error)
    if code == "NoSuchBucket":
        raise StoreAccessError(
            f"{root}: there is no such bucket. Make it, or correct --store or RHAPSODY_STORE (and AWS_ENDPOINT_URL)."
        ) from error
    if isinstance(error, FileNotFoundError | FileExistsError):
        raise error
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"):
        raise StoreAccessError(
            f"{root}: there are no credentials ({error}). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE."
        ) from error
    if code == "RequestTimeTooSkewed":
        raise StoreAccessError(
            f"{root}: this machine's clock is too far from the store's ({error}). Set it, for instance with NTP."
        ) from error
    if code in _BAD_CREDENTIALS:
        raise StoreAccessError(
            f"{root}: the store refuses these credentials: could not {what} ({error}). Check AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL."
        ) from error
    if status == 403:
        raise StoreAccessError(
            f"{root}: could not {what} ({error}). These credentials need the rights to list, read, write and delete "
            "there; or choose others with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    if is_forbidden(error):
        raise StoreAccessError(
            f"{root}: could not {what} ({error}). Ask for the right to, or choose another store."
        ) from error
    if is_full(error):
        raise FullDiskError(f"{root}: could not {what}: the disk is full ({error}). Free some space.") from error
    odd_address = isinstance(error, ValueError) and not isinstance(error, OSError)  # a certificate error is both
    if odd_address or type(error).__name__ == "ParamValidationError":
        reason = " ".join(str(error).split())[:200]
        raise StoreAccessError(
            f"{root}: could not {what} ({reason}). Check the address given with --store or RHAPSODY_STORE, and "
            "AWS_ENDPOINT_URL, which begins with http:// or https://."
        ) from error
    raise StoreError(f"{root}: could not {what} ({error}).") from error
