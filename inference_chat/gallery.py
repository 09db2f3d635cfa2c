"""Pictures and clips that people had made, for when they come back: what each is, and by what settings.

The files themselves are in the media store, by their ids. Every method is one transaction and raises
`StorageFailed` when the database cannot do its work.
"""

import json
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field
from sqlalchemy import Column, Index, String, Table, Text, delete, insert, select

from .database import Stored, UtcTime, clean, metadata
from .schema import JSON, Frozen, now

KEPT: Final = timedelta(days=30)
MOST: Final = 200
"""How many of a kind are kept for each owner."""

gallery = Table(
    "gallery",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("media", Text, nullable=False),
    Column("told", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("gallery_by_owner", "owner", "kind", "created_at"),
)


class Made(Frozen):
    """What one request made."""

    id: str
    owner: str
    kind: str = Field(description="`image` or `video`.")
    media: tuple[str, ...] = Field(description="Ids of its files.")
    told: JSON = Field(description="What it was asked with, and what it cost, as the page shows it.")
    created_at: datetime = Field(default_factory=now)


Shelf = list[Made]


class Gallery(Stored):
    """All that was made; safe to use from any thread."""

    def add(self, made: Made) -> None:
        """Keep it; the oldest of its owner leave where there are too many."""
        row = made.model_dump() | {"media": json.dumps(made.media), "told": json.dumps(clean(made.told))}
        mine = (gallery.c.owner == made.owner) & (gallery.c.kind == made.kind)
        oldest = select(gallery.c.id).where(mine).order_by(gallery.c.created_at.desc()).offset(MOST)
        with self._database.write() as connection:
            connection.execute(delete(gallery).where(gallery.c.id == made.id))
            connection.execute(insert(gallery).values(**row))
            surplus = connection.scalars(oldest).all()
            connection.execute(delete(gallery).where(gallery.c.id.in_(surplus)))

    def list(self, owner: str, kind: str) -> Shelf:
        """What an owner had made, newest first."""
        mine = (gallery.c.owner == owner) & (gallery.c.kind == kind)
        with self._database.read() as connection:
            rows = connection.execute(select(gallery).where(mine).order_by(gallery.c.created_at.desc()))
            return [
                Made(**row | {"media": json.loads(row["media"]), "told": json.loads(row["told"])})
                for row in map(dict, rows.mappings())
            ]

    def remove(self, owner: str, id: str) -> bool:
        """Forget something of theirs; whether it was there."""
        with self._database.write() as connection:
            found = connection.execute(
                delete(gallery).where((gallery.c.id == id) & (gallery.c.owner == owner))
            )
            return found.rowcount > 0

    def media(self) -> set[str]:
        """The files that are needed, after what is too old has left."""
        with self._database.write() as connection:
            connection.execute(delete(gallery).where(gallery.c.created_at < now() - KEPT))
            return {id for kept in connection.scalars(select(gallery.c.media)) for id in json.loads(kept)}
