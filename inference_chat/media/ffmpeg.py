"""Running the ffmpeg binary that comes with moviepy; imported only when there is something to decode."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ..errors import BadMedia
from .container import Kind

SECONDS: Final = 120.0
# Naming the reader keeps ffmpeg from taking a file for a playlist and opening what that names.
READERS: Final = {
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "mov",
    "video/mp4": "mov",
    "video/webm": "matroska",
    "video/x-msvideo": "avi",
    "image/gif": "gif",
}


@contextmanager
def stored(data: bytes) -> Iterator[Path]:
    """`data` as a file for as long as the block runs; some containers are not read in order."""
    with tempfile.TemporaryDirectory(prefix="inference-chat-") as folder:
        path = Path(folder) / "media"
        path.write_bytes(data)
        yield path


def probe(path: Path, kind: Kind) -> dict[str, Any]:
    """What the file's header says, in moviepy's words; raises `BadMedia`."""
    from moviepy.video.io.ffmpeg_reader import ffmpeg_parse_infos

    try:
        found: dict[str, Any] = ffmpeg_parse_infos(str(path))
    except (OSError, ValueError, KeyError, IndexError, AttributeError):  # what its parser trips over
        raise damaged(kind) from None
    if not found.get(f"{kind}_found"):
        raise BadMedia(f"The file holds no {kind}. Send one that does.")
    return found


def decode(path: Path, media_type: str, kind: Kind, output: Sequence[str]) -> bytes:
    """What ffmpeg makes of the file; raises `BadMedia` when that is nothing."""
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
    command += ["-f", READERS[media_type], "-i", str(path), *output, "pipe:1"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BadMedia(f"The {kind} takes too long to decode. Send a shorter or smaller one.") from None
    if not done.stdout:
        raise damaged(kind)
    return done.stdout


def damaged(kind: Kind) -> BadMedia:
    return BadMedia(f"The {kind} is damaged or cut off. Send the whole file again.")
