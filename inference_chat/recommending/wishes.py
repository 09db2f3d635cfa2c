"""What a request in free words asks for besides its task: how fast, how small, under which licence."""

import re
from re import Match

from pydantic import Field

from ..schema import Frozen

NUMBER = r"(\d+(?:[.,]\d+)*)"
AT_MOST = (
    r"(?:(?:in |of )?(?:under|below|within|less than|at most|no more than|not more than|up to|"
    r"max(?:imum)?(?: of)?|faster than|quicker than|smaller than|lighter than)|"
    r"fits? (?:in|into)|in|with|<=?|≤)"
)
TIMES = {"ms": 1.0, "s": 1000.0, "min": 60_000.0}
TIME = r"(ms|msec|milliseconds?|millis|s|secs?|seconds?|min|minutes?)\b"
SIZES = {"k": 1 / 1024, "m": 1.0, "g": 1024.0}
SIZE = r"(kb|kib|mb|mib|gb|gib|megs?|gigs?|megabytes?|gigabytes?)\b"
# What is short or small here is the thing that is sent, not the model.
THINGS = (
    r"(?:clips?|videos?|recordings?|sounds?|songs?|films?|movies?|footage|audio|files?|photos?|pictures?|images?|"
    r"pdfs?|documents?|uploads?|speech(?:es)?|memos?|podcasts?)(?: (?:of|that are|which are|is|are))?"
)
LATENCY = re.compile(
    rf"(?:\b|(?<=\s)){AT_MOST}\s*{NUMBER}\s*{TIME}|{NUMBER}\s*(ms|msec|milliseconds?)\b", re.I
)
MEMORY = re.compile(
    rf"(?:\b|(?<=\s)){AT_MOST}\s*(?:about |only )?{NUMBER}\s*{SIZE}(?:\s+(?:of )?(?:memory|ram|vram))?"
    rf"|{NUMBER}\s*{SIZE}\s+(?:of )?(?:memory|ram|vram|machine|laptop|model)",
    re.I,
)
LICENSES = (
    (r"\bapache(?:[- ]?(?:2(?:\.0)?|v2))?(?:[- ]licen[sc]ed?)?", "apache-2.0"),
    (r"\bmit(?:[- ]licen[sc]ed?)\b|\b(?:under|licen[sc]e:?|with(?: an?)?) mit\b", "mit"),
    (r"\bbsd(?:[- ]\d[- ]clause)?(?:[- ]licen[sc]ed?)?\b", "bsd"),
    (r"\b(?:l?gpl|agpl)(?:[- ]?v?\d(?:\.\d)?)?\b", "gpl"),
    (
        r"\b(?:permissive(?:ly)?(?: licen[sc]ed?)?|for commercial use|commercially usable|"
        r"(?:can|may) be used commercially|commercial licen[sc]e)\b",
        "permissive",
    ),
)
PERMISSIVE = ("apache", "mit", "bsd", "isc", "cc0", "cc-by-4", "cc-by-3", "unlicense", "zlib")


class Constraints(Frozen):
    """What a model must keep to; None where anything will do."""

    max_memory_mb: float | None = Field(None, gt=0, description="In MiB, as measured or estimated here.")
    max_latency_ms: float | None = Field(None, gt=0, description="Half of the runs here are at most so long.")
    license: str | None = Field(
        None, min_length=1, max_length=64, description="As `apache-2.0` or `mit`; `permissive` for any such."
    )

    def over(self, other: "Constraints") -> "Constraints":
        """These, and where they say nothing those of `other`."""
        return Constraints(**{**other.model_dump(exclude_none=True), **self.model_dump(exclude_none=True)})

    def allows(self, license: str | None) -> bool:
        """Whether a licence is what was asked for; one that nobody has told is not."""
        if self.license is None:
            return True
        told, wanted = (license or "").lower(), self.license.lower()
        if wanted == "permissive":
            return told.startswith(PERMISSIVE)
        return bool(told) and (told.startswith(wanted) or told.split("-")[0] == wanted)


def read(request: str) -> tuple[Constraints, str]:
    """The constraints in a request, and its words without them."""
    found: dict[str, float | str] = {}
    rest = request
    for name, pattern, units in (("max_latency_ms", LATENCY, TIMES), ("max_memory_mb", MEMORY, SIZES)):
        for match in pattern.finditer(rest):
            if re.search(rf"\b{THINGS}\s*$", rest[: match.start()], re.I):
                continue
            found[name] = _amount(match, units)
            rest = _without(rest, match)
            break
    for license_pattern, license in LICENSES:
        if told := re.search(license_pattern, rest, re.I):
            found["license"] = license
            rest = _without(rest, told)
            break
    return Constraints.model_validate(found), rest.strip(" ,;.") or request


def _amount(match: Match[str], units: dict[str, float]) -> float:
    number, unit = (part for part in match.groups() if part)
    return max(
        _number(number) * next(by for start, by in units.items() if _starts(unit.lower(), start)), 1e-3
    )


def _starts(unit: str, start: str) -> bool:
    if start in ("ms", "min"):
        return unit.startswith((start, "milli") if start == "ms" else start)
    return unit.startswith(start)


def _number(text: str) -> float:
    """A number with a comma or a point; groups of three digits are thousands."""
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", text):
        return float(re.sub(r"[.,]", "", text))
    head, *tail = re.split(r"[.,]", text)
    return float(f"{head}.{''.join(tail)}")


def _without(text: str, match: Match[str]) -> str:
    before, after = text[: match.start()].rstrip(" ,;("), text[match.end() :].lstrip(")")
    return re.sub(r"\s+(?=[,.;])|(?<=\s)\s+", "", f"{before} {after}").strip(" ,;")
