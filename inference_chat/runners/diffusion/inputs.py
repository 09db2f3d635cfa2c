"""What a pipeline is given: the picture cut to its size, the mask in black and white, how much it reads."""

import inspect
from typing import Any

from PIL import Image, ImageOps

from ...errors import InvalidRequest
from ...media import open_image
from ...schema import Media
from .sizes import Size

HALF = 128
SHOWN_CHARACTERS = 200


def fitted(picture: Image.Image, size: Size) -> Image.Image:
    """A picture at another size; what sticks out on both sides of the middle is cut off."""
    if picture.size == size:
        return picture
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def mask_of(medium: Media, size: Size) -> Image.Image:
    """White where the picture is to be drawn anew, black elsewhere; cut like the picture.

    What is transparent counts as white. Raises `InvalidRequest` when nothing is white.
    """
    grey = fitted(open_image(medium.read()).convert("L"), size)
    mask = grey.point(lambda value: 255 if value >= HALF else 0)
    if mask.getextrema()[1] == 0:
        raise InvalidRequest("The mask is black all over: paint white what is to be drawn anew.")
    return mask


def unread(pipe: Any, prompt: str) -> str:
    """The end of a prompt that no encoder of a pipeline reads; empty when one reads all."""
    default = inspect.signature(type(pipe).__call__).parameters.get("max_sequence_length")
    longest = default.default if default is not None and isinstance(default.default, int) else None
    rests = []
    for name, words in pipe.components.items():
        if not name.startswith("tokenizer") or words is None:
            continue
        clip = "CLIP" in type(getattr(pipe, name.replace("tokenizer", "text_encoder"), None)).__name__
        limits = [words.model_max_length, *([longest] if longest and not clip else [])]
        rests.append(_rest(words, prompt, min(limits)))
    return min(rests, key=len, default="")


def _rest(words: Any, prompt: str, limit: int) -> str:
    """What is left of a prompt after so many tokens, shortened for reading."""
    ids = words(prompt, verbose=False)["input_ids"]
    if len(ids) <= limit:
        return ""
    kept = words(prompt, verbose=False, truncation=True, max_length=limit)["input_ids"]
    same = next((i for i, (one, other) in enumerate(zip(ids, kept, strict=False)) if one != other), limit)
    text = str(words.decode(ids[same:], skip_special_tokens=True)).strip() or "…"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
