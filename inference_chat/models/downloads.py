"""Downloads from the hub: how far they are, how quick; they go on where they stopped, and can be stopped."""

import json
import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock, Timeout

from ..errors import Conflict, HubUnavailable, InferenceChatError, ModelFailed, StorageFailed
from ..files import explain_failure
from ..registry.catalog import ModelRecord
from ..runners.checkpoint import Checkpoint, inspect
from ..schema import JSON
from .fetching import Fetch, Pace, Stopped
from .hub import Hub, Offer, hub_name
from .repository import File

log = logging.getLogger(__name__)
State = Literal["none", "running", "stopped", "failed", "done"]
GIB: Final = 1 << 30
SPARE: Final = GIB // 2
"""Bytes of the disk that are left to everybody else."""
OFTEN: Final = 2 << 20
"""Bytes between two looks at the pace."""


@dataclass
class Download:
    """One model on its way; sizes in bytes."""

    hub_id: str
    revision: str
    files: tuple[File, ...]
    state: State = "running"
    done: int = 0
    files_done: int = 0
    file: str = ""
    error: InferenceChatError | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    pace: Pace = field(default_factory=Pace)

    @property
    def total(self) -> int:
        return sum(file.size for file in self.files)

    def shown(self) -> JSON:
        """As clients see it."""
        if self.state == "running":
            self.pace.note(self.done)
        pace = self.pace.of() if self.state == "running" else None
        left = self.total - self.done
        return {
            "state": self.state,
            "done": self.done,
            "total": self.total,
            "bytes_per_second": round(pace) if pace is not None else None,
            "seconds_left": round(left / pace, 1) if pace else None,
            "file": self.file if self.state == "running" else "",
            "files_done": self.files_done,
            "files": len(self.files),
            "revision": self.revision,
            "error": self.error.detail if self.error else None,
        }


class Downloads:
    """Every download of this process, by the id of its model; may be used from any thread."""

    def __init__(self, hub: Hub, arrived: Callable[[ModelRecord, Checkpoint, str], None]) -> None:
        """`arrived` hears of a model that is here, with its folder and the commit it is of."""
        self._hub = hub
        self._arrived = arrived
        self._all: dict[str, Download] = {}
        self._guard = threading.Lock()

    def of(self, record: ModelRecord) -> JSON:
        """How far a model's download is; one that another process left is `stopped`."""
        if found := self._all.get(record.id):
            return found.shown()
        if folder := self._hub.here(hub_name(record), record.revision):
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            return Download(hub_name(record), folder.name, (), "done", size).shown() | {"total": size}
        if plan := self._planned(record):
            return plan.shown()
        return Download(hub_name(record), record.revision or "", (), "none").shown()

    def start(self, record: ModelRecord, offer: Offer | None = None) -> JSON:
        """Begin, or go on with, a download; raises `Conflict` where there is nothing to fetch."""
        if record.source != "hub":
            raise Conflict(f"{record.id} is not of the hub; there is nothing to download.")
        download, own = self._begun(record, offer)
        if own:
            threading.Thread(target=self._run, args=(record, download), name="download", daemon=True).start()
        return download.shown()

    def fetch(self, record: ModelRecord) -> Checkpoint:
        """A model's folder, downloaded first if it is not here; blocks until then.

        Raises `HubUnavailable`, `InvalidModel`, `UnsafeModel`, `StorageFailed`; `Conflict` if stopped.
        """
        if folder := self._hub.here(hub_name(record), record.revision):
            return inspect(folder)
        download, own = self._begun(record, None)
        if own:
            self._run(record, download)
        download.ended.wait()
        if download.error:
            raise download.error
        if download.state != "done":
            raise Conflict(f"The download of {record.id} was stopped; resume it to use the model.")
        return inspect(self._fetch(download).storage / "snapshots" / download.revision)

    def stop(self, record: ModelRecord, *, discard: bool = False) -> JSON:
        """End a download; what has arrived is kept for the next, unless it is to be discarded."""
        found = self._all.get(record.id)
        if found is not None:
            found.stop.set()
            if found.state == "running":
                found.state = "stopped"  # at once; its thread ends at its next look
        if discard and (plan := found or self._planned(record)) is not None and plan.state != "done":
            plan.ended.wait(30)
            for file in plan.files:
                self._fetch(plan).discard(file)
            self._plan_path(plan.hub_id).unlink(missing_ok=True)
            self._all.pop(record.id, None)
        return self.of(record)

    def close(self) -> None:
        """Stop everything; what has arrived is kept."""
        for download in self._all.values():
            download.stop.set()

    def _begun(self, record: ModelRecord, offer: Offer | None) -> tuple[Download, bool]:
        """The download of a model, and whether the caller is the one to run it."""
        with self._guard:
            running = self._all.get(record.id)
            if running is not None and not running.ended.is_set() and not running.stop.is_set():
                return running, False
        if running is not None:
            running.ended.wait(30)
        plan = self._prepared(record, offer)
        with self._guard:
            other = self._all.get(record.id)
            if other is not None and not other.ended.is_set():
                return other, False
            self._all[record.id] = plan
        return plan, True

    def _prepared(self, record: ModelRecord, offer: Offer | None) -> Download:
        """What is to be fetched, from the hub or as it was planned before; checks the disk."""
        offer = offer or self._hub.look(hub_name(record), record.revision)
        if offer is not None:
            plan = Download(offer.hub_id, offer.revision, offer.files)
        elif (kept := self._planned(record)) is not None:
            plan = Download(kept.hub_id, kept.revision, kept.files)
        else:
            raise HubUnavailable(
                f"{record.id} is not on this machine and the hub cannot be reached; "
                "go online once, or register a folder.",
                30,
            )
        self._measure(plan)
        self._room(plan)
        return plan

    def _room(self, plan: Download) -> None:
        place = self._hub.folder
        place.mkdir(parents=True, exist_ok=True)
        free, needed = shutil.disk_usage(place).free, plan.total - plan.done
        if needed + SPARE > free:
            raise StorageFailed(
                f"{plan.hub_id} needs {needed / GIB:.1f} GiB more and the disk has {free / GIB:.1f} GiB free;"
                " free some, or set MODEL_CACHE_DIR to a larger disk.",
                60,
            )

    def _run(self, record: ModelRecord, download: Download) -> None:
        try:
            self._bring(record, download)
            download.state = "done"
        except Stopped:
            download.state = "stopped"
        except InferenceChatError as error:
            download.error, download.state = error, "failed"
        except OSError as error:
            said = StorageFailed(explain_failure(error, "download"))
            download.error, download.state = said, "failed"
        except Exception:  # a thread's last line of defence: the page must hear that it failed
            log.exception("The download of %s failed", record.id)
            failure = ModelFailed("The download failed unexpectedly; the server's log says why.")
            download.error, download.state = failure, "failed"
        finally:
            download.ended.set()

    def _bring(self, record: ModelRecord, download: Download) -> None:
        self._keep_plan(download)
        fetch = self._fetch(download)
        lock = FileLock(fetch.storage / ".download.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise Conflict(f"Another program is downloading {download.hub_id}; wait for it.") from None
        try:
            for file in download.files:
                if download.stop.is_set():
                    raise Stopped
                download.file = file.name
                fetch.run(file)
                self._measure(download)
            if record.revision is None:
                fetch.name_revision("main")
            folder = fetch.storage / "snapshots" / download.revision
            self._arrived(record, inspect(folder), download.revision)
            self._plan_path(download.hub_id).unlink(missing_ok=True)
        finally:
            lock.release()

    def _fetch(self, download: Download) -> Fetch:
        unseen = 0

        def heard(size: int) -> None:
            nonlocal unseen
            download.done += size
            unseen += size
            if unseen >= OFTEN or download.pace.of() is None:
                unseen = 0
                download.pace.note(download.done)

        return Fetch(self._hub, download.hub_id, download.revision, download.stop, heard)

    def _measure(self, download: Download) -> None:
        """Look on the disk how much is here."""
        have = [self._fetch(download).have(file) for file in download.files]
        download.done = sum(have)
        download.files_done = sum(own == file.size for own, file in zip(have, download.files, strict=True))
        download.pace.note(download.done)

    def _plan_path(self, hub_id: str) -> Path:
        return self._hub.folder / f"models--{hub_id.replace('/', '--')}" / ".download.json"

    def _keep_plan(self, download: Download) -> None:
        path = self._plan_path(download.hub_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        plan = {"revision": download.revision, "files": [asdict(file) for file in download.files]}
        path.write_text(json.dumps(plan), "utf-8")

    def _planned(self, record: ModelRecord) -> Download | None:
        """The download that was begun and not ended, perhaps by another process."""
        try:
            plan = json.loads(self._plan_path(hub_name(record)).read_text("utf-8"))
            files = tuple(File(**one) for one in plan["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        found = Download(hub_name(record), str(plan["revision"]), files, "stopped")
        found.ended.set()
        self._measure(found)
        return found
