"""The servers that integration tests share: each is started once a session, by the first test that needs it."""

from __future__ import annotations

from tests.servers.fixtures import s3, swift  # noqa: F401  (fixtures)
