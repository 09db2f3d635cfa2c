"""Which tokens of a text may look at which."""

from typing import Any


def hiding(at: range, seen: range, window: int | None, **like: Any) -> Any:
    """0 where a token at a place (rows) may look and −inf elsewhere; `like` is a tensor's dtype and device.

    It looks at what is before it and itself, with a window at so many tokens.
    """
    import torch

    rows, columns = (torch.arange(r.start, r.stop, device=like.get("device")) for r in (at, seen))
    hidden = columns > rows[:, None]
    if window is not None:
        hidden |= columns <= rows[:, None] - window
    return torch.zeros(hidden.shape, **like).masked_fill_(hidden, float("-inf"))
