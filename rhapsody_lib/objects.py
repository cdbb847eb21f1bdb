"""Single objects and files, written so that a crash or a rival leaves nothing half-done; and who writes them."""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem


def flush(path: Path) -> None:
    """Wait until a file is on the disk, so that a loss of power cannot leave a manifest without its files."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def put_if_absent(fs: fsspec.AbstractFileSystem, path: str, data: bytes) -> bool:
    """Write a small object unless one is there; tells whether it was written. Atomic on a local disk and on S3."""
    if isinstance(fs, LocalFileSystem):
        temporary = Path(f"{path}.{uuid.uuid4().hex}.tmp")
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True
    try:
        fs.pipe_file(path, data, mode="create")
    except FileExistsError:
        return False
    except OSError as error:
        # Swift and Ceph answer 412 without a condition, which s3fs turns into EINVAL.
        if error.errno == 22 and fs.exists(path):
            return False
        raise
    return True


def remote_failures() -> tuple[type[Exception], ...]:
    """What S3 clients raise besides OSError, such as missing credentials."""
    from botocore.exceptions import BotoCoreError

    return (BotoCoreError,)


def host_name() -> str:
    """This machine, as a short name without odd characters."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def process_name() -> str:
    """This process, told apart from those of other machines that share the store's folder."""
    return f"{host_name()}.{os.getpid()}"
