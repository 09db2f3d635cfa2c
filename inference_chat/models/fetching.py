"""Fetching one file of the hub into the hub's own cache: it goes on where it stopped, and is checked.

The hub's client begins every file anew and knows no stop; here what has arrived is kept, whatever ends
the fetch, and nothing counts as arrived before its size and digest are right.
"""

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import HubUnavailable, InvalidModel
from .hub import Hub
from .repository import File

PIECE: Final = 1 << 16
"""Bytes between two looks at `stop`."""
SILENCE: Final = 20.0
"""Seconds without a byte after which a connection is given up, and made anew."""
TRIES: Final = 6
"""Connections in a row that may bring nothing."""


class Stopped(Exception):
    """Somebody has asked for the end."""


@dataclass(frozen=True)
class Fetch:
    """Where files go, and who is told: `heard` of the bytes that have come, or must come again."""

    hub: Hub
    hub_id: str
    revision: str
    stop: threading.Event
    heard: Callable[[int], None]

    @property
    def storage(self) -> Path:
        """The model's folder in the hub's cache."""
        return self.hub.folder / f"models--{self.hub_id.replace('/', '--')}"

    def have(self, file: File) -> int:
        """How many bytes of a file are here."""
        blob, part = self._blob(file), self._part(file)
        if blob.exists():
            return file.size
        return min(part.stat().st_size, file.size) if part.exists() else 0

    def run(self, file: File) -> None:
        """Bring a file here, whole; raises `Stopped`, `HubUnavailable`, `InvalidModel`, `OSError`."""
        blob = self._blob(file)
        if not blob.exists():
            blob.parent.mkdir(parents=True, exist_ok=True)
            part = self._part(file)
            self._bring(file, part)
            self._check(file, part)
            os.replace(part, blob)
        self._link(file, blob)

    def discard(self, file: File) -> None:
        """Forget the bytes of a file that is not whole."""
        self._part(file).unlink(missing_ok=True)

    def name_revision(self, name: str) -> None:
        """Let a branch's name mean this commit, for those who look here without the network."""
        path = self.storage / "refs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.revision, "utf-8")

    def _blob(self, file: File) -> Path:
        return self.storage / "blobs" / file.blob

    def _part(self, file: File) -> Path:
        return self.storage / "blobs" / f"{file.blob}.part"

    def _bring(self, file: File, part: Path) -> None:
        fruitless = 0
        while (have := part.stat().st_size if part.exists() else 0) < file.size or not part.exists():
            if fruitless:
                self._wait(min(30, 2 ** (fruitless - 1)))
            self._receive(file, part, have)
            came = part.exists() and part.stat().st_size > have
            fruitless = 0 if came else fruitless + 1
            if fruitless >= TRIES:
                raise HubUnavailable(
                    "The hub cannot be reached, or sends nothing. What has arrived is kept; resume it later.",
                    30,
                )

    def _receive(self, file: File, part: Path, have: int) -> None:
        """What one connection brings; that it breaks is no error while it brings something."""
        import httpx2
        from huggingface_hub import get_session
        from huggingface_hub.utils._headers import build_hf_headers

        headers = build_hf_headers() | {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        url = self.hub.url(self.hub_id, self.revision, file.path)
        try:
            with get_session().stream("GET", url, headers=headers, timeout=SILENCE) as answer:
                if answer.status_code not in (200, 206):
                    _refuse(self.hub_id, answer.status_code)
                    return
                self._write(answer, part, have if answer.status_code == 206 else 0, file.size)
        except (httpx2.TransportError, httpx2.StreamError):
            if self.stop.is_set():
                raise Stopped from None

    def _write(self, answer: Any, part: Path, start: int, size: int) -> None:
        with part.open("r+b" if start else "wb") as out:
            if start:
                out.seek(start)
            for piece in answer.iter_bytes(PIECE):
                if self.stop.is_set():
                    raise Stopped
                out.write(piece)
                self.heard(len(piece))
                if out.tell() > size:
                    break  # the check will say that it is another file

    def _check(self, file: File, part: Path) -> None:
        if part.stat().st_size == file.size and _digest(part, file) == file.blob:
            return
        part.unlink()
        raise InvalidModel(f"{file.name} arrived damaged, and is not kept; resume to fetch it again.")

    def _link(self, file: File, blob: Path) -> None:
        """Show a file under its own name, as the hub's client does."""
        place = self.storage / "snapshots" / self.revision / file.path
        if place.exists():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        try:
            place.symlink_to(os.path.relpath(blob, place.parent))
        except OSError:  # a system where links are not for everybody
            shutil.copyfile(blob, place)

    def _wait(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopped


def _digest(path: Path, file: File) -> str:
    """The name that the hub gives to a content: SHA-256 of large files, git's own SHA-1 of others."""
    with path.open("rb") as content:
        if file.sha256:
            return hashlib.file_digest(content, "sha256").hexdigest()
        sha = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
        for piece in iter(lambda: content.read(PIECE), b""):
            sha.update(piece)
        return sha.hexdigest()


def _refuse(hub_id: str, status: int) -> None:
    """Raise for what another try would not change."""
    if status == 416:
        raise InvalidModel(f"{hub_id} has other files than it lists; look at it again.")
    if status in (401, 403):
        raise InvalidModel(
            f"{hub_id} asks for its terms to be accepted: do so on its page, then set HF_TOKEN."
        )
    if status < 500 and status not in (408, 425, 429):
        raise InvalidModel(f"The hub no longer has a file of {hub_id} ({status}); look at it again.")


class Pace:
    """Bytes a second, over the last seconds."""

    def __init__(self, over: float = 5.0) -> None:
        self._over = over
        self._guard = threading.Lock()
        self._seen: list[tuple[float, int]] = []

    def note(self, total: int) -> None:
        moment = time.monotonic()
        with self._guard:
            self._seen.append((moment, total))
            while len(self._seen) > 2 and self._seen[1][0] < moment - self._over:
                del self._seen[0]

    def of(self) -> float | None:
        """None before there are two looks to compare."""
        with self._guard:
            seen = self._seen[:1] + self._seen[-1:] if len(self._seen) > 1 else []
        if not seen:
            return None
        (began, first), (ended, last) = seen
        return max(0.0, (last - first) / max(ended - began, 1e-6))
