"""What the flows of these tests put on the pages of their runs."""

from __future__ import annotations

import asyncio

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey


def artifact(key: str) -> str:
    """What the latest artifact of a key shows."""

    async def read() -> str:
        async with get_client() as client:
            found = await client.read_artifacts(
                artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])), sort="CREATED_DESC", limit=1
            )
        return str(found[0].data)

    return asyncio.run(read())
