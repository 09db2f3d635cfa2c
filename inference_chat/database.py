"""Opening the database that conversations and run records share: SQLite by default, PostgreSQL by URL.

SQLite runs in WAL mode with `synchronous=FULL`, so a committed transaction survives a killed
process and a power cut. Writers of one process queue on a lock instead of polling the file.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final

from sqlalchemy import (
    URL,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    create_engine,
    event,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from .errors import SettingsError, StorageFailed
from .files import set_aside

SCHEMA_VERSION: Final = 1
BUSY_SECONDS: Final = 5.0
# A full check reads every page, about 0.1 s for this size; of larger files only the start is read.
CHECKED_BYTES: Final = 32 * 2**20

log = logging.getLogger(__name__)
metadata = MetaData()
schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite itself keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Database:
    """An open database: short transactions through `read()` and `write()`, then `close()`."""

    def __init__(self, engine: Engine, notices: tuple[str, ...] = ()) -> None:
        self.notices = notices
        self._engine = engine
        self._lock = Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the data; raises `StorageFailed`."""
        with translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it is on disk after the block, or nothing; raises `StorageFailed`."""
        with translated(), self._lock, self._engine.connect() as plain:
            connection = plain.execution_options(writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


class Stored:
    """What is kept in a database: one of its own, opened by URL, or one that others use too."""

    def __init__(self, database: str | Database) -> None:
        """Open a database by URL, or use one that is open; then `close()` leaves it open."""
        self._owned = isinstance(database, str)
        self._database = open_database(database) if isinstance(database, str) else database
        self.notices = self._database.notices

    def close(self) -> None:
        """Close the database if it was opened here."""
        if self._owned:
            self._database.close()


def open_database(url: str) -> Database:
    """Open `url` (`sqlite:PATH`, `sqlite:///PATH` or `postgresql://…`), making the tables it lacks.

    A SQLite file that is no whole database is moved aside, a new one is made, and `notices` says so.
    Raises `SettingsError` for a URL that cannot be used, `StorageFailed` when the file is locked,
    read-only or the disk is full.
    """
    parsed = parse_url(url)
    notices: tuple[str, ...] = ()
    if parsed.get_backend_name() == "sqlite":
        notices = _prepare_file(Path(str(parsed.database)))
    try:
        database = Database(_engine(parsed), notices)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"DATABASE_URL: the driver {error.name!r} is missing; pip install 'psycopg[binary]'"
        ) from None
    try:
        with database.write() as connection:
            _make_tables(connection)
    except BaseException:
        database.close()
        raise
    return database


def parse_url(url: str) -> URL:
    """Read a database URL, `sqlite:PATH` included; raises `SettingsError`."""
    scheme, _, rest = url.partition(":")
    if scheme.startswith("sqlite") and not rest.startswith("//"):
        url = f"{scheme}:///{rest}"
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise SettingsError(
            "DATABASE_URL: write `sqlite:PATH` or `postgresql://USER:PASSWORD@HOST/NAME`"
        ) from None
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise SettingsError("DATABASE_URL: name a file, as in `sqlite:./data/inference.db`")
    return parsed


def clean(value: Any) -> Any:
    """`value` without what databases refuse: NUL characters go, halves of surrogate pairs become U+FFFD.

    Works on text and on anything JSON can hold.
    """
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return [clean(item) for item in value] if isinstance(value, list | tuple) else value


def _clean_text(text: str) -> str:
    text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


# --- errors -------------------------------------------------------------------------------------

FULL = "The disk is full: nothing was changed. Free some space, then try again."
LOCKED = "Another program is using the database. Close it, or try again in a moment."
READ_ONLY = "The database cannot be written. Allow writing to its file and its folder, then try again."
CORRUPT = "The database is damaged. Restart the app: it keeps the damaged file aside and starts a new one."
UNREACHABLE = "The database cannot be reached. Check DATABASE_URL and that its server or folder is there."
FAILED = "The database refused the change, and nothing was changed. The log has the reason."
SENTENCES: Final = {
    "SQLITE_FULL": FULL,
    "SQLITE_IOERR": "The database file cannot be read or written: nothing was changed. "
    "Check that the disk is well and has space, then try again.",
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_PERM": READ_ONLY,
    "SQLITE_CANTOPEN": UNREACHABLE,
    "SQLITE_CORRUPT": CORRUPT,
    "SQLITE_NOTADB": CORRUPT,
    # PostgreSQL's SQLSTATE classes
    "08": UNREACHABLE,
    "53": FULL,
    "55": LOCKED,
    "57": UNREACHABLE,
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into `StorageFailed` with a sentence that says what to do."""
    try:
        yield
    except DBAPIError as error:
        log.warning("database: %s", error.orig)
        raise StorageFailed(sentence(error.orig)) from error
    except sqlite3.Error as error:
        log.warning("database: %s", error)
        raise StorageFailed(sentence(error)) from error


def sentence(error: BaseException | None) -> str:
    """What went wrong and what helps, by the driver's own code."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or ""
    if not code and error is not None and error.__class__.__module__.startswith("psycopg"):
        return UNREACHABLE
    return next((text for start, text in SENTENCES.items() if code.startswith(start)), FAILED)


# --- opening ------------------------------------------------------------------------------------


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(url, connect_args=arguments, pool_size=8, max_overflow=-1)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would open transactions on its own, and late; `_begin` does it instead.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    """Stands in for SQLite's own, which knows only ASCII."""
    return text.lower() if text else text


def _begin(connection: Connection) -> None:
    # A deferred transaction that turns into a write fails at once when another has written meanwhile.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_tables(connection: Connection) -> None:
    metadata.create_all(connection)
    found = connection.scalar(select(schema_version.c.version))
    if found is None:
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
    elif found > SCHEMA_VERSION:
        raise SettingsError(
            f"DATABASE_URL: the database has format {found}, this release reads up to {SCHEMA_VERSION}; "
            "upgrade Inference Chat or name another database"
        )


def _prepare_file(path: Path) -> tuple[str, ...]:
    """Make the folder, and move a damaged file aside; what was done, in words."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or _is_whole(path):
            return ()
        kept = set_aside(path, "-wal", "-shm")
    except OSError as error:
        raise StorageFailed(UNREACHABLE) from error
    return (
        f"The database {path.name} was damaged. It is kept as {kept.name}, next to the new, empty one; "
        f"`sqlite3 {kept.name} .recover` can often read it.",
    )


def _is_whole(path: Path) -> bool:
    with translated():
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if path.stat().st_size > CHECKED_BYTES:
                return True
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorname.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                return False
            raise
        finally:
            connection.close()
