"""Replacing a file as a whole, and keeping a damaged one aside."""

import errno
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path


def replace(path: Path, content: bytes, backup: Path) -> None:
    """Give `path` new content so that a crash at any moment leaves the old or the new, whole.

    What it held before is kept as `backup`. One caller at a time: the temporary names are fixed, so
    that what a killed process left is used up by the next. Raises `OSError`; the old file is then
    still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new, previous = (path.with_name(f".{path.name}.{suffix}") for suffix in ("new", "previous"))
    try:
        write_through(new, content)
        if path.exists():
            _duplicate(path, previous)
            os.replace(previous, backup)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
        previous.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_through(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _duplicate(path: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    try:
        os.link(path, copy)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, copy)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last through a power cut, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def set_aside(path: Path, *suffixes: str) -> Path:
    """Rename a damaged file to `NAME.corrupt-TIME`, with what lies at `NAME` + each of `suffixes`."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in ("", *suffixes):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


def explain_failure(error: OSError, what: str, *, new: bool = False) -> str:
    """What an operating system's refusal means for `what`, and what helps; names no path.

    Of something `new` there is no state of before to speak of.
    """
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        left = "could not be written" if new else "is as it was before"
        return f"The disk is full, so the {what} {left}. Free some space, then try again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"The {what} cannot be used: allow reading and writing its file and its folder, then try again."
        )
    return f"The {what} could not be read or written and is as it was before; check the disk, then try again."
