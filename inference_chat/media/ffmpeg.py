"""Running the ffmpeg binary that comes with moviepy; imported only when there is something to decode."""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import BadMedia, StorageFailed
from ..files import explain_failure
from ..tasks import Kind

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
        try:
            path.write_bytes(data)
        except OSError as error:
            raise StorageFailed(explain_failure(error, "temporary file", new=True)) from error
        yield path


class Probe(NamedTuple):
    """What a file's header says; `seconds` is None where it does not, `size` and `fps` are the video's."""

    audio: bool
    seconds: float | None
    size: tuple[int, int] | None
    fps: float


def probe(path: Path, media_type: str, kind: Kind) -> Probe:
    """Read the header without decoding; raises `BadMedia` when the file holds nothing of that kind."""
    report = _run(path, media_type, kind, []).stderr.decode(errors="replace")
    # The cover of an album is no video.
    video = re.search(r"Stream #\S+ Video: (?!.*attached pic).* (\d+)x(\d+)[, ].*", report)
    rate = re.search(r"([\d.]+k?) (?:fps|tbr)", video[0]) if video else None
    found = Probe(
        audio=bool(re.search(r"Stream #\S+ Audio: ", report)),
        seconds=_seconds(re.search(r"Duration: (\d+):(\d+):([\d.]+)", report)),
        size=(int(video[1]), int(video[2])) if video else None,
        fps=float(rate[1].replace("k", "000")) if rate else 0.0,
    )
    if not found.audio and found.size is None:
        raise damaged(kind)
    if not (found.audio if kind == "audio" else found.size):
        raise BadMedia(f"The file holds no {kind}. Send one that does.")
    return found


def decode(path: Path, media_type: str, kind: Kind, output: Sequence[str]) -> bytes:
    """What ffmpeg makes of the file; raises `BadMedia` when that is nothing."""
    made: bytes = _run(path, media_type, kind, [*output, "pipe:1"]).stdout
    if not made:
        raise damaged(kind)
    return made


def _run(
    path: Path, media_type: str, kind: Kind, output: Sequence[str]
) -> "subprocess.CompletedProcess[bytes]":
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-protocol_whitelist", "file,pipe"]
    command += ["-f", READERS[media_type], "-i", str(path), *output]
    try:
        return subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BadMedia(f"The {kind} takes too long to decode. Send a shorter or smaller one.") from None


def _seconds(clock: re.Match[str] | None) -> float | None:
    return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) if clock else None


def damaged(kind: Kind) -> BadMedia:
    return BadMedia(f"The {kind} is damaged or cut off. Send the whole file again.")
