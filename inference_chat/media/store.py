"""Files that people have sent, by the SHA-256 of their bytes: each is there once, under no name of theirs."""

import hashlib
import os
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ..errors import BadMedia, StorageFailed, TooLarge
from ..files import explain_failure
from ..schema import Media
from ..tasks import Kind
from .container import Limits, check, head_of, kind_of, sniff
from .listening import check_length
from .reel import opened

BLOCK: Final = 1 << 20


class MediaStore:
    """A folder of files; it is made when the first one comes."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self.limits = limits

    def add(self, source: BinaryIO | bytes, kind: Kind) -> Media:
        """Keep a file, read in blocks; what it is is told by its first bytes, of a clip by its header.

        Raises `BadMedia`, `TooLarge`, `UnsupportedMediaType`, `StorageFailed`.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part, path, size = self._written(source, kind)
            try:
                media_type = check(head_of(part, kind), kind, self.limits)
                if kind == "video":
                    with opened(part, self.limits):
                        pass  # its header says what limits hold for
                if kind == "audio":
                    check_length(part, self.limits)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise StorageFailed(explain_failure(error, "uploaded file", new=True)) from error
        return Media(kind=kind, id=path.name, media_type=media_type, size=size, path=path)

    def find(self, id: str, kind: Kind) -> Media:
        """A file that is kept, to be used as one of that kind; `BadMedia` when it is none, or gone."""
        found = self.look(id)
        media_type = check(head_of(found.path, kind), kind, self.limits)
        return found.model_copy(update={"kind": kind, "media_type": media_type})

    def look(self, id: str) -> Media:
        """A file that is kept, whatever it is; `BadMedia` when there is none of that id."""
        path = self._folder / id
        if len(id) != 64 or not id.isalnum() or not path.is_file():
            raise BadMedia("That file is not kept here any more; send it again.")
        head = head_of(path, "file")
        os.utime(path)
        media_type = sniff(head) or "application/octet-stream"
        size = path.stat().st_size
        return Media(kind=kind_of(head) or "image", id=id, media_type=media_type, size=size, path=path)

    def clean(self, seconds: float, needed: Collection[str] = ()) -> int:
        """Remove files that nobody has asked for in so many seconds and `needed` does not name; how many."""
        oldest, removed = time.time() - seconds, 0
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            if path.name not in needed and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _written(self, source: BinaryIO | bytes, kind: Kind) -> tuple[Path, Path, int]:
        """The bytes in a temporary file, the place they belong to, and how many there are."""
        sha, size = hashlib.sha256(), 0
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as file:
            part = Path(file.name)
            try:
                for block in _blocks(source):
                    size += len(block)
                    if size > self.limits.max_bytes:
                        most = f"{self.limits.max_bytes:,}"
                        raise TooLarge(f"The {kind} file has more than the {most} bytes that are taken.")
                    sha.update(block)
                    file.write(block)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return part, self._folder / sha.hexdigest(), size


def _blocks(source: BinaryIO | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
    else:
        yield from iter(lambda: source.read(BLOCK), b"")
