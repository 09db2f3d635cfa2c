"""The registry of models: what we know of each version, in one TinyDB file.

Reads are served from memory, and notice when another process has changed the file. A write replaces
the file as a whole under a lock, so a crash at any moment leaves the old or the new one.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, cast

from filelock import FileLock, Timeout
from pydantic import ValidationError
from tinydb import TinyDB
from tinydb.storages import MemoryStorage, Storage
from tinydb.table import Document, Table

from ..errors import Conflict, InvalidRequest, ModelExists, NotFound, StorageFailed
from ..files import explain_failure, replace, set_aside
from ..schema import JSON, explain, now
from .catalog import ModelRecord, View

__all__ = ["ModelRecord", "Registry"]

log = logging.getLogger(__name__)

LOCK_SECONDS = 5.0
FIXED = frozenset({"id", "name", "version", "created_at"})
REMEMBERED = 50  # versions that a bare name has meant before
Models = list[ModelRecord]
Data = dict[str, dict[str, Any]]
Stamp = tuple[int, int, int]


class Damaged(Exception):
    """The file does not hold a registry."""


class AtomicStorage(Storage):
    """One JSON file, replaced as a whole; what it held before the last write is kept as `.bak`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.backup = path.with_name(path.name + ".bak")

    def read(self) -> Data | None:
        """The tables, or None when there is no file; raises `Damaged`, `OSError`."""
        try:
            data = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise Damaged(str(error)) from None
        if not isinstance(data, dict) or not all(isinstance(table, dict) for table in data.values()):
            raise Damaged("it holds no tables")
        return data

    def write(self, data: Data) -> None:
        """Replace the file; raises `OSError`, and then the old file is still there."""
        replace(self.path, json.dumps(data, ensure_ascii=False).encode(), self.backup)


class ById(Table):
    """A table whose documents are found by a text of their own."""

    document_id_class = cast(type[int], str)  # only TinyDB's type hint insists on int


class Tables(TinyDB):
    table_class = ById


class Registry:
    """All models; safe to use from any thread, and by several processes on one file."""

    def __init__(self, path: Path, storage: type[AtomicStorage] = AtomicStorage) -> None:
        """Open the registry; a damaged file is moved aside, and `notices` says what took its place.

        Raises `StorageFailed` when the file is there and cannot be read.
        """
        self.notices: tuple[str, ...] = ()
        self._path = path
        self._storage = storage
        self._guard = RLock()
        self._file_lock = FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_SECONDS)
        self._data: Data = {}
        self._view = View()
        self._stamp: Stamp | None = None
        self._refresh()

    # --- reading ---------------------------------------------------------------------------------

    def get(self, ref: str) -> ModelRecord:
        """`name@version`, or a bare name for its pinned, else its newest version.

        Raises `ModelNotFound`, which names similar models, or `VersionNotFound`.
        """
        return self._current().get(ref)

    def versions(self, name: str) -> Models:
        """All versions of a model, newest first; raises `ModelNotFound`."""
        return [*self._current().versions(name)]

    def pinned(self, name: str) -> str | None:
        """The version that a bare name means, where `pin` has chosen it."""
        return self._current().pins.get(name)

    def search(
        self, q: str = "", *, task: str | None = None, max_memory_bytes: int | None = None, limit: int = 20
    ) -> Models:
        """Models whose name, description, tags, capabilities or tasks fit every word of `q`, best first."""
        return self._current().search(q, task=task, max_memory_bytes=max_memory_bytes, limit=limit)

    def list(
        self,
        *,
        task: str | None = None,
        tag: str | None = None,
        framework: str | None = None,
        name: str | None = None,
        sort: str = "name",
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[Models, int]:
        """One page of the models that fit, and how many fit in all.

        `sort` is a field of the record, with `-` before it downwards; raises `InvalidRequest`.
        """
        found = self._current().select(task=task, tag=tag, framework=framework, name=name, sort=sort)
        return found[offset : offset + limit], len(found)

    def knows(self, ref: str) -> bool:
        """Whether there is a model of that name or id."""
        try:
            self.get(ref)
        except NotFound:
            return False
        return True

    # --- writing ---------------------------------------------------------------------------------

    def add(self, record: ModelRecord) -> ModelRecord:
        """Register a version; raises `ModelExists`."""
        with self._writing() as (tables, view):
            if record.id in view.by_id:
                raise ModelExists(f"{record.id} is registered. Choose another version, or remove it first.")
            _store_models(tables, [record])
        return record

    def put(self, record: ModelRecord) -> ModelRecord:
        """Register a version, or replace it; when it was registered and what was measured stays."""
        return self.put_all([record])[0]

    def put_all(self, records: Iterable[ModelRecord]) -> Models:
        """`put` for many in one write; where nothing is new, nothing is written."""
        given = [*records]
        known = self._current().by_id
        if all(_merged(known.get(record.id), record) is known.get(record.id) for record in given):
            return [known[record.id] for record in given]
        with self._writing() as (tables, view):
            merged = [_merged(view.by_id.get(record.id), record) for record in given]
            _store_models(tables, merged)
        return merged

    def update(self, id: str, **fields: Any) -> ModelRecord:
        """Change fields of a version; raises `ModelNotFound`, `VersionNotFound`, `InvalidRequest`."""
        if fixed := sorted(fields.keys() & FIXED):
            raise InvalidRequest(f"{fixed[0]}: cannot be changed; register another version instead")
        with self._writing() as (tables, view):
            known = view.get(id)
            try:
                changed = ModelRecord.model_validate(known.model_dump() | {"updated_at": now()} | fields)
            except ValidationError as error:
                raise InvalidRequest(explain(error)) from None
            _store_models(tables, [changed])
        return changed

    def remove(self, id: str) -> None:
        """Forget a version; its files stay. Raises `ModelNotFound`, `VersionNotFound`."""
        with self._writing() as (tables, view):
            tables.table("models").remove(doc_ids=[_key(view.get(id).id)])

    def pin(self, id: str) -> ModelRecord:
        """Let the bare name mean this version; raises `ModelNotFound`, `VersionNotFound`."""
        with self._writing() as (tables, view):
            record = view.get(id)
            _pin(tables, record.name, record.version)
        return record

    def unpin(self, name: str) -> None:
        """Let the bare name mean the newest version again; raises `ModelNotFound`."""
        with self._writing() as (tables, view):
            view.versions(name)
            _pin(tables, name, None)

    def roll_back(self, name: str) -> ModelRecord:
        """Let the bare name mean what it did before `pin` or `unpin` was last called; gives that version.

        Versions that were removed since are passed over. Raises `ModelNotFound`, and `Conflict` when it
        has meant nothing else.
        """
        with self._writing() as (tables, view):
            family = view.versions(name)
            known = {None, *(record.version for record in family)}
            before = [one for one in _pin_of(tables, name).get("before", []) if one in known]
            meant = view.get(name).version
            while before and (before[-1] or family[0].version) == meant:
                before.pop()
            if not before:
                raise Conflict(f"{name} has meant no other version before; promote one instead.")
            version = before.pop()
            _store(tables, "pins", {name: {"version": version, "before": before}})
        return self.get(name)

    # --- the file --------------------------------------------------------------------------------

    def _current(self) -> View:
        if self._stamp_now() != self._stamp:
            with self._guard:
                self._refresh()
        return self._view

    @contextmanager
    def _writing(self) -> Iterator[tuple[Tables, View]]:
        """One change of the file: all of it, or nothing when the block or the disk fails."""
        with self._guard, self._locked():
            self._refresh()
            tables = Tables(storage=MemoryStorage)
            tables.storage.write(dict(self._data))
            yield tables, self._view
            data = tables.storage.read() or {}
            with _translated():
                self._storage(self._path).write(data)
            self._show(data, self._stamp_now())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _translated():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file_lock.acquire()
        try:
            yield
        finally:
            self._file_lock.release()

    def _refresh(self) -> None:
        """Read the file if it is not the one that was read last."""
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        try:
            with _translated():
                data = self._storage(self._path).read()
        except Damaged:
            data = None
        if data is None:
            data, stamp = self._repair()
        self._show(data, stamp)

    def _repair(self) -> tuple[Data, Stamp | None]:
        """Move a damaged file aside, and write what is known from memory, else from the backup."""
        with self._locked():
            storage = self._storage(self._path)
            backup = self._storage(storage.backup)
            kept = ""
            try:
                # Another process may have repaired it while this one waited for the lock.
                data = storage.read()
            except Damaged:
                data = None
                kept = set_aside(self._path).name
            data = data or self._data or (_read_if_whole(backup) if kept else None) or {}
            with _translated():
                if data and self._stamp_now() is None:
                    storage.write(data)
            self._notify(kept, len(data.get("models", {})))
            return data, self._stamp_now()

    def _notify(self, kept: str, rescued: int) -> None:
        what = f"was damaged and is kept as {kept}" if kept else "was gone"
        notice = f"The registry {self._path.name} {what}; {rescued} models were brought back from a copy."
        log.warning(notice)
        self.notices += (notice,)

    def _show(self, data: Data, stamp: Stamp | None) -> None:
        """Serve reads from `data`; what did not change keeps its record."""
        old, records, unreadable = self._data.get("models", {}), [], []
        for id, document in data.get("models", {}).items():
            known = self._view.by_id.get(id)
            try:
                unchanged = known is not None and old.get(id) == document
                records.append(known if known and unchanged else ModelRecord.model_validate(document))
            except ValidationError as error:
                unreadable.append(f"{id}: {explain(error)}")
        pins = {name: str(pin.get("version")) for name, pin in data.get("pins", {}).items()}
        self._data, self._view, self._stamp = data, View(records, pins), stamp
        for line in unreadable:
            notice = f"The registry keeps an entry that cannot be used: {line}"
            if notice not in self.notices:
                self.notices += (notice,)

    def _stamp_now(self) -> Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


def _read_if_whole(storage: AtomicStorage) -> Data | None:
    try:
        return storage.read()
    except (Damaged, OSError):
        return None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Timeout:
        raise StorageFailed("Another program is using the registry. Try again in a moment.") from None
    except OSError as error:
        raise StorageFailed(explain_failure(error, "registry")) from error


def _key(text: str) -> int:
    """A document's id, which is a text whatever TinyDB's type hints say."""
    return cast(int, text)


def _store(tables: Tables, name: str, documents: dict[str, JSON]) -> None:
    """Set documents by id. They are replaced, not updated, as the old ones are still being read."""
    table = tables.table(name)
    table.remove(doc_ids=[_key(id) for id in documents])
    table.insert_multiple(Document(document, _key(id)) for id, document in documents.items())


def _pin_of(tables: Tables, name: str) -> JSON:
    """What a bare name means, and what it meant before: the newest version where that is None."""
    found = tables.table("pins").get(doc_id=_key(name))
    return dict(found) if isinstance(found, Document) else {"version": None, "before": []}


def _pin(tables: Tables, name: str, version: str | None) -> None:
    pin = _pin_of(tables, name)
    if (present := pin.get("version")) == version:
        return
    before = [*pin.get("before", []), present][-REMEMBERED:]
    _store(tables, "pins", {name: {"version": version, "before": before}})


def _store_models(tables: Tables, records: Models) -> None:
    _store(tables, "models", {record.id: record.model_dump(mode="json") for record in records})


def _merged(known: ModelRecord | None, record: ModelRecord) -> ModelRecord:
    """`record` with what only the registry knows; `known` itself when nothing else differs."""
    if known is None:
        return record
    same_files = known.sha256 == record.sha256
    by_people = ("pinned", "edited", *known.edited)
    kept = {
        "created_at": known.created_at,
        "updated_at": known.updated_at,
        "memory_used": record.memory_used or (known.memory_used if same_files else None),
        **{name: getattr(known, name) for name in by_people if name in ModelRecord.model_fields},
    }
    merged = record.model_copy(update=kept)
    return known if merged == known else merged.model_copy(update={"updated_at": now()})
