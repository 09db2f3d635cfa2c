"""Text from tokens, piece by piece: whole characters only, no lost spaces, nothing past a stop string."""

from collections.abc import Callable, Sequence

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Detokenizer:
    """Turns one token after another into the text it adds.

    A token may hold a part of a character or take its leading space from its neighbour, so each piece
    is the difference of two decodings of the last few tokens (the method of Hugging Face's
    text-generation-inference, `Model.decode_token`). `context` are tokens before the first one that
    are text of the same message; they decide about the space in front of it.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], context: Sequence[int] = ()) -> None:
        self._decode = decode
        self._ids = list(context)
        self._prefix = 0
        self._read = len(self._ids)

    def push(self, token: int) -> str:
        """The text that `token` completes; empty while a character is still open."""
        self._ids.append(token)
        return self._take(final=False)

    def peek(self, token: int) -> str:
        """The text that would be there if `token` came next, an unfinished character included."""
        before = self._decode(self._ids[self._prefix : self._read])
        return self._decode([*self._ids[self._prefix :], token])[len(before) :]

    def flush(self) -> str:
        """What is left at the end, an unfinished character as the replacement character."""
        return self._take(final=True)

    def _take(self, *, final: bool) -> str:
        before = self._decode(self._ids[self._prefix : self._read])
        after = self._decode(self._ids[self._prefix :])
        if len(after) <= len(before) or (after.endswith(REPLACEMENT) and not final):
            return ""
        self._prefix, self._read = self._read, len(self._ids)
        return after[len(before) :]


class StopStrings:
    """Cuts a growing text before the stop string that is complete first, also across pieces.

    Of several that end at the same place the longest counts, so the cut does not depend on how the
    text was divided into pieces.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.hit = False

    def push(self, piece: str) -> str:
        """What may be shown by now; text that may turn into a stop string is held back."""
        if not self._stops or self.hit:
            return "" if self.hit else piece
        text = self._held + piece
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.hit, self._held = True, ""
            return text[: min(found)[1]]
        keep = max(overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What was held back and turned out to be text."""
        held, self._held = self._held, ""
        return held


def overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
