"""What is tried again and what is not, and what an error says."""

from __future__ import annotations

import errno
import logging

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)

from rhapsody_lib import remote
from rhapsody_lib.artifacts import Store
from rhapsody_lib.errors import FullDiskError, InputError, StoreAccessError, StoreError
from rhapsody_lib.objects import ObjectStore


def answer(status: int, code: str) -> OSError:
    """What s3fs raises for an answer of the server."""
    error = OSError(errno.EIO, f"the server said {code}")
    error.__cause__ = ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject"
    )
    return error


PASSING = [
    ConnectionResetError("reset"),
    TimeoutError("late"),
    EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
    answer(503, "SlowDown"),
    answer(500, "InternalError"),
    answer(429, "TooManyRequests"),
    answer(409, "ConditionalRequestConflict"),
]
LASTING = [
    (answer(403, "AccessDenied"), StoreAccessError, r"could not try it.*rights to list"),
    (answer(403, "SignatureDoesNotMatch"), StoreAccessError, "refuses these credentials.*AWS_SECRET_ACCESS_KEY"),
    (answer(403, "RequestTimeTooSkewed"), StoreAccessError, "clock"),
    (answer(404, "NoSuchBucket"), StoreAccessError, "no such bucket.*RHAPSODY_STORE"),
    (NoCredentialsError(), StoreAccessError, "no credentials.*AWS_ACCESS_KEY_ID"),
    (PermissionError(errno.EACCES, "denied"), StoreAccessError, "could not try it.*denied"),
    (SSLError(endpoint_url="https://x", error="self-signed"), StoreError, "self-signed"),
    (OSError(errno.ENOSPC, "No space left on device"), FullDiskError, "disk is full"),
    (answer(400, "InvalidArgument"), StoreError, "could not try it"),
    (ValueError("Invalid endpoint: localhost:9000"), StoreAccessError, "Invalid endpoint.*--store.*AWS_ENDPOINT_URL"),
    (ParamValidationError(report="Invalid bucket name"), StoreAccessError, "bucket name.*--store.*AWS_ENDPOINT_URL"),
    (answer(501, "NotImplemented"), StoreError, "could not try it"),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(remote, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(remote, "LONGEST_WAIT_S", 0.002)
    monkeypatch.setattr(remote, "JITTER_S", 0.0)
    monkeypatch.setenv(remote.PATIENCE_VARIABLE, "30")


def failing(*errors: Exception):
    """A function that raises these errors, one a call, and then gives how often it was called."""
    calls = []

    def function() -> int:
        calls.append(1)
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]
        return len(calls)

    return function


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_passes_is_tried_again_at_once_and_then_with_a_warning_for_each_wait(error, caplog):
    with caplog.at_level(logging.WARNING):
        assert remote.call("s3://songs", "try it", failing(error, error, error)) == 4
    waits = [record.message for record in caplog.records if "does not answer" in record.message]
    assert len(waits) == 2
    assert all("s3://songs" in wait and "trying again in 0.0 s, for up to 30 s more" in wait for wait in waits)


@pytest.mark.parametrize(("error", "kind", "words"), LASTING, ids=repr)
def test_what_does_not_pass_is_one_clear_error_at_once(error, kind, words, caplog):
    with pytest.raises(StoreError, match=f"^s3://songs: .*{words}") as caught:
        remote.call("s3://songs", "try it", failing(error))
    assert type(caught.value) is kind
    assert not caplog.records


def test_a_lasting_error_after_a_passing_one_ends_the_waiting():
    with pytest.raises(StoreAccessError, match="rights"):
        remote.call("s3://songs", "try it", failing(PASSING[0], PASSING[1], answer(403, "AccessDenied")))


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), FileExistsError("there")])
def test_missing_and_existing_objects_are_answers(error):
    with pytest.raises(type(error)):
        remote.call("s3://songs", "try it", failing(error))
    with pytest.raises(type(error)):
        remote.call("s3://songs", "try it", failing(PASSING[0], error))


def test_patience_ends(monkeypatch):
    monkeypatch.setenv(remote.PATIENCE_VARIABLE, "0")
    with pytest.raises(StoreError, match=rf"does not answer since 0 s: could not try it.*{remote.PATIENCE_VARIABLE}"):
        remote.call("s3://songs", "try it", failing(*PASSING * 9))


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_patience_that_is_no_number_is_refused(monkeypatch, text):
    monkeypatch.setenv(remote.PATIENCE_VARIABLE, text)
    with pytest.raises(InputError, match="not a number of seconds"):
        remote.patience_s()


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("seen", [True, False])
def test_an_object_that_appears_after_a_broken_connection_is_ours_if_its_bytes_are(tmp_path, monkeypatch, ours, seen):
    """Whether we or, unseen by us, s3fs or aiohttp put it again."""
    store = ObjectStore(f"memory://{tmp_path.name}")
    file_system = type(store.fs)
    put, tries = file_system.pipe_file, []

    def breaks_once(self, path, data, **options):
        tries.append(1)
        if len(tries) == 1:
            put(self, path, data if ours else b"a rival's", **options)
            if seen:
                raise ConnectionResetError("after the server took it")
        return put(self, path, data, **options)

    monkeypatch.setattr(file_system, "pipe_file", breaks_once)
    assert store.put_if_absent(b"ours", "releases", "1.json") is ours
    assert len(tries) == 1 + seen


@pytest.mark.parametrize(
    ("endpoint", "root"), [("127.0.0.1:1", "s3://songs"), ("http://127.0.0.1:1", "s3://no_such!bucket/songs")]
)
def test_an_odd_address_is_not_taken_for_a_damaged_store(monkeypatch, tmp_path, endpoint, root):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(StoreAccessError, match=f"^{root}: could not .*--store.*AWS_ENDPOINT_URL"):
        Store(root, scratch=tmp_path)


def test_a_file_system_is_one_a_process_and_set_of_variables(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    one = remote.file_system("s3")
    assert remote.file_system("s3") is one
    assert one.endpoint_url == "http://127.0.0.1:1"
    assert one.config_kwargs["s3"] == {"addressing_style": "path"}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "two")
    assert remote.file_system("s3") is not one
