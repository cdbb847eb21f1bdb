"""What lies in a bucket, read beside Rhapsody's own code, and the rules that hold after any fault."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

from tests.servers.swift import Swift


class StoredObjects:
    """The objects of one store in a bucket of an S3 server."""

    def __init__(self, swift: Swift, address: str) -> None:
        self.swift = swift
        self.bucket, _, self.prefix = address.removeprefix("s3://").partition("/")

    @functools.cached_property
    def _client(self) -> Any:
        import botocore.session
        from botocore.config import Config

        given = self.swift.environment
        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.swift.endpoint,
            region_name="us-east-1",
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}),
        )

    def names(self, folder: str = "") -> list[str]:
        """Names of all objects below a folder of the store."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.prefix}/{folder}"
        )
        found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return sorted(name.removeprefix(f"{self.prefix}/") for name in found)

    def read(self, name: str) -> bytes:
        """Contents of one object."""
        data: bytes = self._client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")["Body"].read()
        return data

    def write(self, name: str, data: bytes) -> None:
        """Overwrite one object, as a fault would."""
        self._client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}", Body=data)

    def remove(self, name: str) -> None:
        """Remove one object, as a fault would."""
        self._client.delete_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")

    def manifests(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The manifest of each published artifact, by kind and key."""
        found = {}
        for name in self.names("artifacts/"):
            parts = name.split("/")
            if len(parts) == 4 and parts[3] == "manifest.json":
                found[parts[1], parts[2]] = json.loads(self.read(name))
        return found

    def files(self, kind: str, key: str) -> dict[str, str]:
        """Address of each data file of an artifact, by its name."""
        manifest = self.manifests()[kind, key]
        return {name: f"artifacts/{kind}/{key}/{manifest['data']}/{name}" for name in manifest["files"]}

    def releases(self) -> list[dict[str, Any]]:
        """All releases, oldest first."""
        return [json.loads(self.read(name)) for name in self.names("releases/") if name.endswith(".json")]

    def check_whole(self) -> None:
        """See that nothing is half made: every file of every artifact is there with its digest, and releases have
        numbers without gaps and name artifacts that are there.
        """
        present = set(self.names())
        for (kind, key), manifest in self.manifests().items():
            for name, entry in manifest["files"].items():
                address = f"artifacts/{kind}/{key}/{manifest['data']}/{name}"
                assert address in present, f"{address} is missing"
                data = self.read(address)
                assert hashlib.sha256(data).hexdigest() == entry["sha256"], f"{address} is damaged"
        releases = self.releases()
        assert [release["number"] for release in releases] == list(range(1, len(releases) + 1))
        for release in releases:
            for kind, ref in release["refs"].items():
                data = self.read(f"artifacts/{kind}/{ref['key']}/manifest.json")
                assert hashlib.sha256(data).hexdigest() == ref["sha256"], f"release {release['number']}: {kind}"
