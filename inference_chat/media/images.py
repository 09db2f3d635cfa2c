"""Pictures: file ↔ PIL image in RGB, upright, on white where it was transparent."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import BadMedia, TooLarge
from ..schema import Media
from .container import READABLE, Limits, check

FORMATS: Final = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
SIXTEEN_BIT: Final = 257  # 65535 / 255
SEVERAL: Final = frozenset({"image/gif", "image/webp", "image/png", "image/avif", "image/tiff"})
"""Types of files that may hold more than one picture."""
SHARP: Final = 512  # pixels up to which a preview is kept without loss


def open_image(data: bytes, limits: Limits | None = None) -> Image.Image:
    """Decode a picture; of an animation the first frame. Raises `BadMedia`, `TooLarge`.

    The result is 8-bit RGB, turned as its camera meant it, with white behind transparent parts.
    """
    limits = limits or Limits()
    check(data, "image", limits)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_pixels(picture.width, picture.height, limits)
            picture.load()
            return _on_white(ImageOps.exif_transpose(picture))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge(f"The picture has too many pixels; at most {limits.max_pixels:,} are taken.") from None
    except UnidentifiedImageError:
        raise BadMedia(f"The picture cannot be decoded. Save it again as {READABLE['image']}.") from None
    except (OSError, SyntaxError, ValueError, EOFError):  # what Pillow's decoders raise on damaged files
        raise BadMedia("The picture is damaged or cut off. Send the whole file again.") from None


def first_of_several(media: Sequence[Media]) -> tuple[str, ...]:
    """What to tell of pictures that are animations, or have pages: a still model is shown their beginning."""
    pictures = [one for one in media if one.kind == "image"]
    moving = [at for at, one in enumerate(pictures) if one.media_type in SEVERAL and _several(one.path)]
    return tuple(
        f"{'The picture' if len(pictures) == 1 else f'Picture {at + 1}'} has more than one frame or page: "
        "only the first was used. Send an animation as a clip to have all of it watched."
        for at in moving
    )


def open_map(data: bytes, limits: Limits | None = None) -> NDArray[np.int32]:
    """The numbers (height, width) of a map of labels: grey values, or places in its palette.

    Raises `BadMedia`, `TooLarge`.
    """
    open_image(data, limits)  # whatever is wrong with the file is told there
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        numbers: NDArray[np.int32] = np.asarray(picture).astype(np.int32)
    if numbers.ndim == 3:
        numbers = numbers[..., 0]
    return numbers


def image_bytes(picture: Image.Image, format: str = "PNG") -> bytes:
    """Encode a picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format)
    return buffer.getvalue()


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise TooLarge(f"The picture has {width} × {height} pixels; at most {limits.max_pixels:,} are taken.")


def _several(path: Path) -> bool:
    try:
        with Image.open(path, formats=FORMATS) as picture:
            return bool(getattr(picture, "is_animated", False))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False  # nobody has looked at it
    except (OSError, SyntaxError, ValueError, EOFError):
        return False  # what is wrong with it is told by who decodes it


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _eight_bit(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    front = picture.convert("RGBA")
    back = Image.new("RGBA", front.size, "white")
    return Image.alpha_composite(back, front).convert("RGB")


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Bring 16-bit and floating-point grey to 8 bits; floats that end at 1 are fractions of white."""
    grey: NDArray[np.floating] = np.asarray(picture, dtype=np.float32)
    top = float(grey.max(initial=0))
    if picture.mode == "F" and top <= 1:
        grey = grey * 255
    elif top > 255 or picture.mode.startswith("I;16"):
        grey = grey / SIXTEEN_BIT
    return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8))


def preview(data: bytes, side: int = 1600, limits: Limits | None = None) -> tuple[bytes, tuple[int, int]]:
    """A picture as a browser can show it: upright PNG or JPEG of at most `side` pixels, and its real size.

    Raises what `open_image` raises.
    """
    picture = open_image(data, limits)
    size = picture.size
    picture.thumbnail((side, side))
    small = max(size) <= SHARP
    return image_bytes(picture, "PNG" if small else "JPEG"), size
