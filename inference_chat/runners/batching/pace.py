"""How much of the prompts is read in one step, so that those who are writing hardly notice."""

MOST = 512
"""Tokens that are read at once while nobody writes: a stop is seen in between."""
LEAST = 16
GRAIN = 16
SLOWER = 1.0
"""A step that reads too may take longer than one that only writes by so many times its seconds."""
WEIGHT = 0.2


class Pace:
    """What steps have taken lately on this machine, in seconds."""

    def __init__(self) -> None:
        self._writing: float | None = None
        self._reading: float | None = None  # of one token of a prompt, beside what writing takes

    def room(self, writing: int) -> int:
        """Tokens of prompts to read in the next step, while `writing` texts are being written."""
        if not writing:
            return MOST
        if not self._writing or not self._reading:
            return 4 * LEAST
        fit = int(self._writing * SLOWER / self._reading) // GRAIN * GRAIN
        return min(max(fit, LEAST), MOST)

    def note(self, seconds: float, writing: int, reading: int) -> None:
        """A step took so long, with so many texts that were written and tokens that were read."""
        if not reading:
            self._writing = _mean(self._writing, seconds)
        elif reading >= LEAST:
            base = self._writing or 0.0 if writing else 0.0
            self._reading = _mean(self._reading, max(seconds - base, seconds / 50) / reading)


def _mean(old: float | None, new: float) -> float:
    return new if old is None else old + WEIGHT * (new - old)
