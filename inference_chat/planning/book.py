"""The sources of an answer, numbered as they are named."""

from typing import Any, Literal

from ..events import Source


class Book:
    """Collects sources; the same one named twice keeps its number."""

    def __init__(self) -> None:
        self.sources: list[Source] = []

    def cite(self, kind: Literal["region", "moment", "speech"], medium: str, text: str, **where: Any) -> str:
        """The mark that stands for a source in the text: `[1]`."""
        wanted = Source(number=0, kind=kind, medium=medium, text=text, **where)
        for known in self.sources:
            if known.model_copy(update={"number": 0}) == wanted:
                return f"[{known.number}]"
        self.sources.append(wanted.model_copy(update={"number": len(self.sources) + 1}))
        return f"[{len(self.sources)}]"
