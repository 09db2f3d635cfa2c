"""Databases for tests: a new SQLite file each time, and PostgreSQL as well where a server is named."""

import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine

from inference_chat.database import metadata

# The URL of an empty database that the tests may fill and empty; not for several workers at once.
POSTGRES = os.environ.get("INFERENCE_CHAT_TEST_POSTGRES")
KINDS = ["sqlite", "postgresql"] if POSTGRES else ["sqlite"]


def database_urls(tmp_path: Path, kind: str) -> Iterator[str]:
    """The URL of an empty database; to be given on by a fixture."""
    if kind == "sqlite" or not POSTGRES:
        yield f"sqlite:{tmp_path / 'chat.db'}"
        return
    yield POSTGRES
    engine = create_engine(POSTGRES)
    metadata.drop_all(engine)
    engine.dispose()
