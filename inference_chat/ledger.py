"""Batches of requests with what came of each row, and files of such rows, kept in the database.

Every method is one transaction; all of them raise `StorageFailed` when the database cannot do its work.
A row that was being worked on when the process ended is still waiting for the next one.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    select,
    update,
)

from .database import Stored, UtcTime, clean, metadata
from .errors import NotFound
from .schema import JSON, Frozen, new_id, now

KEPT = timedelta(days=30)
"""How long a batch and its files are kept after it was made."""

batches = Table(
    "batches",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("payer", Text, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("total", Integer, nullable=False),
    Column("parallel", Integer, nullable=False),
    Column("told", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Index("batches_by_owner", "owner", "created_at"),
)
rows = Table(
    "batch_rows",
    metadata,
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("request", Text, nullable=False),
    Column("status", Integer),
    Column("answer", Text),
)
files = Table(
    "batch_files",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
FACTS = tuple(column for column in files.c if column.name != "content")

State = Literal["running", "completed", "cancelled", "failed"]


class Batch(Frozen):
    """Many requests of one kind; `told` is what its door keeps beside them."""

    id: str
    owner: str
    payer: str = ""
    kind: str
    state: State = "running"
    total: int
    parallel: int
    told: JSON
    created_at: datetime
    ended_at: datetime | None = None
    completed: int = Field(0, description="Rows that were answered.")
    failed: int = Field(0, description="Rows that ended with an error.")


class Row(Frozen):
    """One request of a batch; `status` (as of HTTP) and `answer` once it has ended."""

    number: int
    request: JSON
    status: int | None = None
    answer: JSON | None = None


class KeptFile(Frozen):
    id: str
    owner: str
    filename: str
    purpose: str
    bytes: int
    created_at: datetime


Found = list[Batch]
Rows = list[Row]
Files = list[KeptFile]


class Ledger(Stored):
    """All batches and their files; safe to use from any thread."""

    def add(
        self,
        owner: str,
        kind: str,
        requests: Sequence[JSON],
        parallel: int,
        *,
        told: JSON | None = None,
        payer: str = "",
        state: State = "running",
    ) -> Batch:
        """Begin a batch; its rows are numbered from 0 in their order."""
        batch = Batch(
            id=f"batch_{new_id()}",
            owner=clean(owner),
            payer=payer,
            kind=kind,
            state=state,
            total=len(requests),
            parallel=parallel,
            told=told or {},
            created_at=now(),
            ended_at=None if state == "running" else now(),
        )
        values = batch.model_dump(exclude={"completed", "failed"}) | {"told": json.dumps(batch.told)}
        with self._database.write() as connection:
            connection.execute(insert(batches).values(values))
            if requests:
                told_rows = [
                    {"batch_id": batch.id, "number": number, "request": json.dumps(request)}
                    for number, request in enumerate(requests)
                ]
                connection.execute(insert(rows), told_rows)
        return batch

    def get(self, id: str, owner: str) -> Batch:
        """A batch and how far it is; `NotFound`, also when it is another's."""
        found = self._find(batches.c.id == id, batches.c.owner == owner)
        if not found:
            raise NotFound("There is no such batch; it may be older than 30 days.")
        return found[0]

    def list(self, owner: str, kinds: Sequence[str], limit: int, after: str | None = None) -> Found:
        """Batches of these kinds, the newest first; those older than batch `after`."""
        wanted = [batches.c.owner == owner, batches.c.kind.in_(kinds)]
        if after:
            wanted.append(batches.c.created_at < self.get(after, owner).created_at)
        return self._find(*wanted, limit=limit)

    def unfinished(self) -> Found:
        """Batches that are to be gone on with, the oldest first."""
        return self._find(batches.c.state == "running")[::-1]

    def rows(self, id: str, *, ended: bool | None = None) -> Rows:
        """The rows of a batch in their order: all, or only those that have `ended` or have not."""
        wanted = select(rows).where(rows.c.batch_id == id).order_by(rows.c.number)
        if ended is not None:
            wanted = wanted.where(rows.c.status.is_not(None) if ended else rows.c.status.is_(None))
        with self._database.read() as connection:
            return [_row(found) for found in connection.execute(wanted).mappings()]

    def end_rows(self, id: str, ended: Sequence[tuple[int, int, JSON]]) -> None:
        """Keep number, status and answer of rows that have ended."""
        with self._database.write() as connection:
            for number, status, answer in ended:
                this = (rows.c.batch_id == id) & (rows.c.number == number)
                values = {"status": status, "answer": json.dumps(answer)}
                connection.execute(update(rows).where(this).values(values))

    def end(self, id: str, state: State, told: JSON | None = None) -> None:
        """A batch is over; one that was over before stays as it is."""
        values: dict[str, Any] = {"state": state, "ended_at": now()}
        if told is not None:
            values["told"] = json.dumps(told)
        with self._database.write() as connection:
            running = (batches.c.id == id) & (batches.c.state == "running")
            connection.execute(update(batches).where(running).values(values))

    def clean_up(self) -> None:
        """Forget what is older than it is kept for."""
        before = now() - KEPT
        with self._database.write() as connection:
            old = select(batches.c.id).where(batches.c.created_at < before, batches.c.state != "running")
            connection.execute(delete(rows).where(rows.c.batch_id.in_(old)))
            connection.execute(
                delete(batches).where(batches.c.created_at < before, batches.c.state != "running")
            )
            connection.execute(delete(files).where(files.c.created_at < before))

    # --- files -----------------------------------------------------------------------------------

    def add_file(
        self, owner: str, filename: str, purpose: str, content: bytes, id: str | None = None
    ) -> KeptFile:
        """Keep a file under `id`, which nobody can guess; a new one unless given."""
        file = KeptFile(
            id=id or f"file-{new_id()}",
            owner=clean(owner),
            filename=clean(filename),
            purpose=clean(purpose),
            bytes=len(content),
            created_at=now(),
        )
        with self._database.write() as connection:
            connection.execute(insert(files).values(file.model_dump() | {"content": content}))
        return file

    def file(self, id: str, owner: str) -> KeptFile:
        """What a file is; `NotFound`, also when it is another's."""
        with self._database.read() as connection:
            wanted = select(*FACTS).where(files.c.id == id, files.c.owner == owner)
            found = connection.execute(wanted).mappings().first()
        if found is None:
            raise NotFound("There is no such file; it may be older than 30 days.")
        return KeptFile(**found)

    def content(self, id: str, owner: str) -> bytes:
        self.file(id, owner)
        with self._database.read() as connection:
            return bytes(connection.scalar(select(files.c.content).where(files.c.id == id)) or b"")

    def files(self, owner: str, limit: int) -> Files:
        """What was sent, and what batches have written, the newest first."""
        own = (files.c.owner == owner) & files.c.id.startswith("file-")
        wanted = select(*FACTS).where(own).order_by(files.c.created_at.desc())
        with self._database.read() as connection:
            return [KeptFile(**found) for found in connection.execute(wanted.limit(limit)).mappings()]

    def delete_file(self, id: str, owner: str) -> None:
        self.file(id, owner)
        with self._database.write() as connection:
            connection.execute(delete(files).where(files.c.id == id))

    # --- inside ----------------------------------------------------------------------------------

    def _find(self, *wanted: Any, limit: int = 1000) -> Found:
        counted = (
            select(
                rows.c.batch_id,
                func.sum(case((rows.c.status < 400, 1), else_=0)).label("completed"),
                func.sum(case((rows.c.status >= 400, 1), else_=0)).label("failed"),
            )
            .group_by(rows.c.batch_id)
            .subquery()
        )
        query = (
            select(batches, counted.c.completed, counted.c.failed)
            .outerjoin(counted, counted.c.batch_id == batches.c.id)
            .where(*wanted)
            .order_by(batches.c.created_at.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_batch(found) for found in connection.execute(query).mappings()]


def _batch(found: Any) -> Batch:
    counts = {name: int(found[name] or 0) for name in ("completed", "failed")}
    return Batch(**{**found, "told": json.loads(found["told"]), **counts})


def _row(found: Any) -> Row:
    answer = found["answer"]
    return Row(
        number=found["number"],
        request=json.loads(found["request"]),
        status=found["status"],
        answer=json.loads(answer) if answer else None,
    )
