"""Letting go of weights that are mapped from their files, while the model stays ready to run.

The kernel drops the pages and reads them again, from its cache or from the disk, when the model next
looks at them. Nothing is written: a page that was changed in memory would be lost, so such weights stay.
"""

import ctypes
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DONT_NEED: Final = 4
WILL_NEED: Final = 3
SHORT: Final = Path("/proc/self/maps")
FULL: Final = Path("/proc/self/smaps")
HEAD: Final = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ *(.*)$")
CHANGED: Final = ("Anonymous", "Swap")
"""Pages that are the process's own copies. Others may be dirty too, while a new file is being written out."""


@dataclass
class Mapping:
    """A stretch of memory that shows a file; sizes in bytes."""

    start: int
    size: int
    file: str
    resident: int = 0
    changed: int = 0


def park(files: Iterable[Path], least: float = 0) -> int:
    """Give back the memory of weights that are mapped from these files; how many bytes that were.

    0, and nothing is done, where it would be less than `least`, or where they were changed since they
    were read. Call it on the thread that runs the model.
    """
    found = list(_mappings(files, FULL))
    resident = sum(one.resident for one in found)
    if resident <= least or any(one.changed for one in found):
        return 0
    return sum(one.resident for one in found if _advise(one, DONT_NEED))


def wake(files: Iterable[Path]) -> None:
    """Let the kernel fetch those weights ahead of their use."""
    for one in _mappings(files, SHORT):
        _advise(one, WILL_NEED)


def mapped(files: Iterable[Path]) -> Callable[[int], bool]:
    """Tells of an address in memory whether one of these files is mapped there at the moment."""
    places = [range(one.start, one.start + one.size) for one in _mappings(files, SHORT)]
    return lambda address: any(address in place for place in places)


def _mappings(files: Iterable[Path], table: Path) -> Iterator[Mapping]:
    """Where these files are in the memory of this process; nowhere on other systems than Linux."""
    wanted = {str(path.resolve()) for path in files}
    if not wanted or not sys.platform.startswith("linux"):
        return
    try:
        text = table.read_text("utf-8", errors="replace")
    except OSError:  # a system that tells nobody
        return
    yield from (one for one in _read(text) if one.file in wanted)


def _read(text: str) -> Iterator[Mapping]:
    current: Mapping | None = None
    for line in text.splitlines():
        if head := HEAD.match(line):
            if current is not None:
                yield current
            start, end = (int(text, 16) for text in head.group(1, 2))
            current = Mapping(start, end - start, head[3])
        elif current is not None:
            name, _, rest = line.partition(":")
            if name == "Rss":
                current.resident = int(rest.split()[0]) * 1024
            elif name in CHANGED:
                current.changed += int(rest.split()[0]) * 1024
    if current is not None:
        yield current


def _advise(mapping: Mapping, advice: int) -> bool:
    libc = ctypes.CDLL(None)
    return bool(libc.madvise(ctypes.c_void_p(mapping.start), ctypes.c_size_t(mapping.size), advice) == 0)
