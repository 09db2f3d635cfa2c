"""Single tokens that ask at the same time, each what it sees of its own text: most of a step of writing."""

import logging
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from .slot import Shape

logger = logging.getLogger(__name__)
SHARING, THREADS = 16, 2
"""Heads that share keys, and threads of torch, up to which the compiled function is the quicker way: with so
many heads 1.2 times, with 32 of them 0.7 times; beside torch's kernel on two threads one to three times."""


def quicker(query: Any, shape: Shape) -> bool:
    """Whether `seen` is the quicker way for a query (heads, texts, numbers) of texts of this shape."""
    import torch

    return (
        query.dtype is torch.bfloat16
        and query.device.type == "cpu"
        and shape.key == shape.value
        and len(query) <= SHARING * shape.heads
        and _few_threads()
        and _compiled() is not None
    )


def seen(query: Any, places: Any, layer: int, groups: int, scale: float | None) -> Any:
    """What one token of each text sees: (texts, heads, numbers).

    `query` is (heads, texts, numbers), of `groups` key heads; `places` are those of the texts' slots.
    """
    import torch

    look = _compiled()
    assert look is not None
    heads, texts, width = query.shape
    scale = width**-0.5 if scale is None else scale
    questions = torch.empty((texts, groups, heads // groups, width))
    questions.view(texts, heads, width).copy_(query.transpose(0, 1))
    found = torch.empty_like(questions)
    look(questions.numpy(), places, layer, scale * math.log2(math.e), found.numpy())
    return found.view(texts, heads, width).to(query.dtype)


def placed(places: Sequence[tuple[int, ...]]) -> Any:
    """What `seen` is told of texts: of each, what its slot says of where it lies."""
    import numpy as np

    return np.array(places, np.int64)


def ready() -> None:
    """Have the function compiled, where a model in bfloat16 on a CPU is going to use it."""
    if _few_threads():
        _compiled()


def _few_threads() -> bool:
    import torch

    return torch.get_num_threads() <= THREADS


@cache
def _compiled() -> Callable[..., None] | None:
    """The compiled function; None where it cannot be had."""
    try:
        from .compiled import look
    except Exception as error:  # noqa: BLE001 - a compiler may fail in any way, and there is another kernel
        logger.warning("Attention is left to torch's kernel, as no function could be compiled: %s", error)
        return None
    found: Callable[..., None] = look
    return found
