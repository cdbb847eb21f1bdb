"""OpenStack Swift with its S3 API, a real S3 server for tests: checks signatures, keeps its data over a kill.

    swift = Swift(folder)
    swift.start()
    swift.make_bucket("songs")
    os.environ.update(swift.environment)     # AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION
    swift.kill(); swift.start()              # the same port, the same data
    swift.stop()

It lives in a small virtual environment of its own, made once in the user's cache folder, and listens on 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import platformdirs
import pytest

#: What the server was tested with. The digest of this list names its virtual environment.
REQUIREMENTS = ("swift==2.38.3", "eventlet==0.41.3", "lxml==6.1.3", "pyeclib==1.8.0", "xattr==1.3.0")
START_LIMIT_S = 30.0

_HERE = Path(__file__).parent
_PARTS = ("account", "container", "object", "proxy")
_RING = """
import sys
from swift.common.ring import RingBuilder
builder = RingBuilder(4, 1, 0)
for target, port in zip(sys.argv[1::2], sys.argv[2::2]):
    builder = RingBuilder(4, 1, 0)
    builder.add_dev(dict(region=1, zone=1, ip="127.0.0.1", port=int(port), device="d1", weight=1))
    builder.rebalance()
    builder.get_ring().save(target)
"""
_FILTERS = """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats bulk s3lock s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3lock]
paste.filter_factory = s3lock:filter_factory
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
check_bucket_owner = false
location = us-east-1
dns_compliant_bucket_names = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_reader = reading
""" + "".join(
    f"[filter:{name}]\nuse = egg:swift#{name}\n"
    for name in ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "copy", "slo", "dlo")
)


def installed() -> Path:
    """The `bin` folder of Swift's virtual environment, made if need be; skips the test where that cannot be done."""
    places = Path(os.environ.get("RHAPSODY_TEST_SERVERS") or platformdirs.user_cache_path("rhapsody") / "servers")
    name = f"swift-{sys.version_info[0]}.{sys.version_info[1]}"
    name += "-" + hashlib.sha256(" ".join(REQUIREMENTS).encode()).hexdigest()[:8]
    if not (places / name / ".whole").exists():
        _install(places, name)
    return places / name / "bin"


def _install(places: Path, name: str) -> None:
    places.mkdir(parents=True, exist_ok=True)
    folder = places / name
    with (places / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another session may be making it
        if (folder / ".whole").exists():
            return
        # The scripts of a virtual environment hold its path, so it is made in place and marked when it is whole.
        shutil.rmtree(folder, ignore_errors=True)
        commands = (
            [sys.executable, "-m", "venv", str(folder)],
            [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *REQUIREMENTS],
        )
        for command in commands:
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"needs OpenStack Swift, which cannot be installed here: {done.stderr.strip()[-300:]}")
        (folder / ".whole").touch()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Swift:
    """One server with its data in `folder`. Start it again after `kill` or `stop`: same port, same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        saved = self.folder / "ports.json"  # the ring names the ports, so they stay with the data
        if saved.exists():
            self.ports: dict[str, int] = json.loads(saved.read_text())
        else:
            self.ports = dict(zip(_PARTS, _free_ports(len(_PARTS)), strict=True))
            self.folder.mkdir(parents=True, exist_ok=True)
            saved.write_text(json.dumps(self.ports))
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def endpoint(self) -> str:
        """Address of the S3 API."""
        return f"http://127.0.0.1:{self.ports['proxy']}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment, and nothing from the user's own configuration."""
        return self._environment("test:tester", "testing")

    @property
    def reader_environment(self) -> dict[str, str]:
        """As `environment`, of a user who may read the buckets made `readable`, and write nothing."""
        return self._environment("test:reader", "reading")

    def _environment(self, key: str, secret: str) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it does not answer in time; the message ends with its log.
        """
        binaries = installed()
        if not (self.folder / "etc" / "proxy.conf").exists():
            self._configure(binaries)
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "etc"), "PYTHONWARNINGS": "ignore"}
        for part in _PARTS:
            command = [str(binaries / f"swift-{part}-server"), str(self.folder / "etc" / f"{part}.conf"), "-v"]
            with (self.folder / f"{part}.log").open("ab") as log:
                process = subprocess.Popen(
                    command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            self.processes.append(process)
        deadline = time.monotonic() + START_LIMIT_S
        while not all(_answers(port) for port in self.ports.values()):
            if time.monotonic() > deadline or any(process.poll() is not None for process in self.processes):
                self.kill()
                logs = "\n".join((self.folder / f"{part}.log").read_text()[-1000:] for part in _PARTS)
                raise RuntimeError(f"OpenStack Swift does not start:\n{logs}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to all of its processes, as a loss of power would."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(number)
        for process in self.processes:
            process.wait(timeout=30)
        self.processes.clear()

    def make_bucket(self, name: str, *, readable: bool = False) -> str:
        """Make a bucket unless it is there; its address is returned. A `readable` one may be read by every user."""
        import botocore.session
        from botocore.config import Config

        client = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}),
        )
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=name, ACL="public-read" if readable else "private")
        client.close()
        return f"s3://{name}"

    def _configure(self, binaries: Path) -> None:
        etc = self.folder / "etc"
        for folder in (etc, self.folder / "dev" / "d1", self.folder / "cache"):
            folder.mkdir(parents=True, exist_ok=True)
        _need_extended_attributes(self.folder)
        (etc / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_suffix = t\nswift_hash_path_prefix = t\n"
            "[storage-policy:0]\nname = gold\ndefault = yes\n[swift-constraints]\nmax_file_size = 5368709122\n"
        )
        shutil.copy(_HERE / "s3lock.py", etc)
        rings = [text for part in _PARTS[:3] for text in (str(etc / f"{part}.ring.gz"), str(self.ports[part]))]
        subprocess.run([str(binaries / "python"), "-W", "ignore", "-c", _RING, *rings], check=True)
        for part in _PARTS:
            common = (
                f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {self.ports[part]}\nworkers = 0\n"
                f"user = {getpass.getuser()}\nswift_dir = {etc}\ndevices = {self.folder}/dev\nmount_check = false\n"
                "disable_fallocate = true\nlog_level = WARNING\nfallocate_reserve = 0\n"
            )
            own = _FILTERS
            if part != "proxy":
                own = f"[pipeline:main]\npipeline = {part}-server\n[app:{part}-server]\nuse = egg:swift#{part}\n"
                own += f"recon_cache_path = {self.folder}/cache\n"
            (etc / f"{part}.conf").write_text(common + own)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthcheck", timeout=1).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
    return True


def _need_extended_attributes(folder: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        try:
            os.setxattr(probe.name, "user.swift", b"1")
        except (OSError, AttributeError) as error:
            pytest.skip(f"needs a file system with extended attributes for OpenStack Swift: {folder} ({error})")


def main() -> None:
    """`python -m tests.servers.swift FOLDER BUCKET`: run one by hand until Ctrl-C."""
    swift = Swift(Path(sys.argv[1]))
    swift.start()
    try:
        address = swift.make_bucket(sys.argv[2] if len(sys.argv) > 2 else "rhapsody")
        print(json.dumps({"store": address, **swift.environment}, indent=2), flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        swift.stop()


if __name__ == "__main__":
    main()
