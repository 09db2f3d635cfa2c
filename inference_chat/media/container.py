"""What a file is, by its first bytes; its way through a `data:` URL; and how large it may be."""

import base64
import binascii
import math
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from pydantic import Field

from ..errors import BadMedia, StorageFailed, TooLarge, UnsupportedMediaType
from ..files import explain_failure
from ..schema import Frozen
from ..tasks import Kind


class Limits(Frozen):
    """How large media may be; more is refused before it is decoded."""

    max_bytes: int = Field(default=32 * 2**20, ge=1, description="Bytes of a file.")
    max_pixels: int = Field(default=40_000_000, ge=1, description="Pixels of a picture or of one frame.")
    max_seconds: float = Field(default=600, gt=0, description="Length of a sound, in seconds.")
    max_clip_seconds: float = Field(default=7200, gt=0, description="Length of a clip, in seconds.")
    max_listen_seconds: float = Field(
        default=7200, gt=0, description="Length of a sound that is listened to piece by piece, in seconds."
    )
    max_frames: int = Field(default=512, ge=1, description="Frames taken from a clip at once.")
    max_decoded_bytes: int = Field(default=2**30, ge=1, description="Bytes of all frames or samples.")


TAKEN = Limits(max_bytes=2**63, max_pixels=2**63, max_clip_seconds=math.inf, max_listen_seconds=math.inf)
"""For a clip or sound that was held against the operator's limits when it came."""

READABLE: dict[Kind, str] = {
    "image": "PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF",
    "audio": "WAV, MP3, FLAC, Ogg or M4A",
    "video": "MP4, MOV, WebM, MKV, AVI or GIF",
}
# The beginning of a file as a pattern, and the media type that it shows.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"BM....\x00\x00\x00\x00", "image/bmp"),
    (rb"II\*\x00|MM\x00\*", "image/tiff"),
    (rb"RIFF....WAVE", "audio/wav"),
    (rb"fLaC", "audio/flac"),
    (rb"OggS", "audio/ogg"),
    (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", "audio/mpeg"),
    (rb"....ftypM4A ", "audio/mp4"),
    (rb"....ftyp(avif|avis)|....ftypmif1.{4}(....)*?avif", "image/avif"),
    (rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", "image/heic"),
    (rb"....ftyp|....moov|....mdat", "video/mp4"),
    (rb"\x1a\x45\xdf\xa3", "video/webm"),
    (rb"RIFF....AVI ", "video/x-msvideo"),
    (rb"%PDF-", "application/pdf"),
    (rb"\s*<(\?xml|svg)", "image/svg+xml"),
)
# Containers that hold either; ffmpeg finds out what is inside.
TIMED = frozenset({"audio/mp4", "video/mp4", "video/webm", "audio/ogg", "image/gif"})
UNREADABLE = frozenset({"image/heic", "application/pdf", "image/svg+xml"})


EXPECTED: Final[dict[Kind, str]] = {"image": "A picture", "audio": "A sound", "video": "A clip"}
HEAD: Final = 4096  # bytes of a file that tell what it is


def sniff(data: bytes) -> str | None:
    """The media type that the first bytes show, or None."""
    start = data[:64]
    return next((kind for mark, kind in SIGNATURES if re.match(mark, start, re.DOTALL)), None)


def check(data: bytes, kind: Kind, limits: Limits) -> str:
    """The media type of `data`, which must be a file of that kind within the limits.

    Raises `TooLarge`, `BadMedia`, `UnsupportedMediaType`.
    """
    if len(data) > limits.max_bytes:
        raise TooLarge(f"The {kind} file has {len(data):,} bytes; at most {limits.max_bytes:,} are taken.")
    if not data:
        raise BadMedia(f"The {kind} file is empty. Send {READABLE[kind]}.")
    found = sniff(data)
    if found in UNREADABLE:
        raise UnsupportedMediaType(f"A file of type {found} cannot be read. Convert it to {READABLE[kind]}.")
    if found is None:
        raise BadMedia(f"This is no {kind} file, whatever its name says. Send {READABLE[kind]}.")
    if not found.startswith(kind) and (kind == "image" or found not in TIMED):
        raise BadMedia(f"{EXPECTED[kind]} was expected, and this is {found}. Send {READABLE[kind]}.")
    return found


def data_url(data: bytes, media_type: str) -> str:
    """`data` as a `data:` URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def from_data_url(url: str, limits: Limits) -> bytes:
    """The bytes of a `data:` URL or of bare base64; raises `BadMedia`, `TooLarge`."""
    head, comma, body = url.partition(",") if url[:5].lower() == "data:" else (";base64", ",", url)
    if not comma:
        raise BadMedia("The data URL has no comma; write data:TYPE;base64,DATA.")
    if len(body) * 3 // 4 > limits.max_bytes * 1.05 + 4:  # line breaks and padding are not counted exactly
        raise TooLarge(f"The file has more than the {limits.max_bytes:,} bytes that are taken.")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(body)
    body = "".join(unquote_to_bytes(body).decode("latin-1").split()) if "%" in body else "".join(body.split())
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadMedia("The data is not base64; write data:TYPE;base64,DATA.") from None


def kind_of(data: bytes) -> Kind | None:
    """What kind of file begins like this, as its container is named; None for none of the three."""
    family = (sniff(data) or "").partition("/")[0]
    return next((kind for kind in READABLE if kind == family), None)


def head_of(source: bytes | Path, noun: str) -> bytes:
    """The first bytes of a file; raises `BadMedia` when it is gone, `StorageFailed`."""
    if isinstance(source, bytes):
        return source[:HEAD]
    try:
        with source.open("rb") as file:
            return file.read(HEAD)
    except FileNotFoundError:
        raise BadMedia(f"The {noun} is no longer kept here; send it again.") from None
    except OSError as error:
        raise StorageFailed(explain_failure(error, noun)) from error
