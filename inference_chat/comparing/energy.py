"""What a run took of energy: by the processor's own counter where it can be read, else power times work.

Linux tells the counters of Intel's and AMD's processors below `/sys/class/powercap`, mostly to root alone and
hardly ever inside a virtual machine. https://docs.kernel.org/power/powercap/powercap.html
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

COUNTERS = Path("/sys/class/powercap")
How = Literal["measured", "assumed"]


class Energy(NamedTuple):
    """Joules, and whether a counter told them or a power that was assumed."""

    joules: float
    how: How


class Meter:
    """Reads the counters of all processors; safe to use from any thread."""

    def __init__(self, watts: float, folder: Path = COUNTERS) -> None:
        """`watts` is what a model at work is assumed to take where no counter can be read."""
        self._watts = watts
        self._counters = [path for path in sorted(folder.glob("intel-rapl:*")) if path.name.count(":") == 1]

    def read(self) -> tuple[int, ...] | None:
        """The counters in microjoules; None where they cannot be read."""
        try:
            return tuple(int((path / "energy_uj").read_text()) for path in self._counters) or None
        except (OSError, ValueError):
            return None

    def shares(self, before: tuple[int, ...] | None, works: Sequence[float]) -> list[Energy]:
        """What each of several runs since `before` took, by the milliseconds of its own work.

        With counters it is their share of all that the processors took meanwhile, whoever else was at work.
        """
        after = self.read() if before else None
        if before is None or after is None or not sum(works):
            return [Energy(self._watts * work / 1000, "assumed") for work in works]
        spent = sum(self._between(at, *pair) for at, pair in enumerate(zip(before, after, strict=True))) / 1e6
        return [Energy(spent * work / sum(works), "measured") for work in works]

    def _between(self, at: int, before: int, after: int) -> int:
        """How far a counter went; it begins anew at its end."""
        if after >= before:
            return after - before
        return after - before + int((self._counters[at] / "max_energy_range_uj").read_text())
