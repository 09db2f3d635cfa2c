"""What became of pictures, clips and sounds that were looked at before: the next turn shows them again."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from copy import copy
from functools import wraps
from hashlib import blake2b
from typing import Any

ENCODERS = ("get_image_features", "get_video_features", "get_audio_features")
"""How transformers names what makes embeddings of media; the models call them so themselves."""
ROOM = 64 << 20
"""Bytes kept for a model; the one unused for longest is forgotten first."""


def remember(model: Any, room: int = ROOM) -> None:
    """Let a model keep what its encoders make of media, for the same ones again."""
    for part in {model, model.base_model}:
        for name in ENCODERS:
            if (encode := getattr(part, name, None)) is not None:
                setattr(part, name, _remembering(encode, room))


def _remembering(encode: Callable[..., Any], room: int) -> Callable[..., Any]:
    kept: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()

    @wraps(encode)
    def remembered(*args: Any, **named: Any) -> Any:
        key = _digest([*args, *sorted(named.items())])
        if key in kept:
            kept.move_to_end(key)
            return copy(kept[key][0])
        made = encode(*args, **named)
        kept[key] = made, sum(tensor.nbytes for tensor in _tensors(made))
        while sum(size for _, size in kept.values()) > room:
            kept.popitem(last=False)
        return copy(made)

    return remembered


def _digest(values: Any) -> bytes:
    """The same for the same tensors and settings."""
    import torch

    told = blake2b(digest_size=16)
    for value in values:
        if isinstance(value, torch.Tensor):
            told.update(repr((value.shape, value.dtype)).encode())
            told.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, list | tuple):
            told.update(_digest(value))
        else:
            told.update(repr(value).encode())
    return told.digest()


def _tensors(value: Any) -> Iterator[Any]:
    """The tensors in an encoder's output."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _tensors(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
