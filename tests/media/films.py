"""Small clips made on the spot: frame number n is grey of brightness 2n, so a test can tell which it sees."""

import io
import tempfile
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from subprocess import run
from typing import Any, cast

import av
import numpy as np
from av.video.stream import VideoStream
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

STEP = 2
SIZE = (64, 48)


def grey(number: int, size: tuple[int, int] = SIZE) -> Image.Image:
    return Image.new("RGB", size, (number * STEP % 256,) * 3)


def noisy(number: int) -> Image.Image:
    """As `grey`, and large when packed: there is much of it to damage."""
    noise = np.random.default_rng(number).integers(-40, 41, (SIZE[1], SIZE[0], 3))
    return Image.fromarray((noise - noise.mean() + 60 + number).clip(0, 255).astype(np.uint8))


def film(
    pictures: Iterable[Image.Image],
    fps: int = 25,
    *,
    format: str = "mp4",
    codec: str = "libx264",
    times: Sequence[float] = (),
    turned: int = 0,
    group: int = 10,
) -> bytes:
    """A clip; `times` are those of its frames in seconds, `turned` the degrees it is shown turned by."""
    start = {"movflags": "+faststart"} if format == "mp4" else {}
    with (
        tempfile.NamedTemporaryFile() as file,
        av.open(file.name, "w", format=format, options=start) as container,
    ):
        stream = cast(VideoStream, container.add_stream(codec, rate=fps))
        stream.options = {"x264-params": f"keyint={group}:scenecut=0:qp=8"} if codec == "libx264" else {}
        tick = Fraction(1, 1000 if times else fps)
        stream.codec_context.time_base = tick
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.width, stream.height = picture.size
                stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
                if turned:
                    stream.set_display_rotation(turned)
            frame = av.VideoFrame.from_image(picture)
            frame.time_base = tick
            frame.pts = round(times[number] / tick) if times else number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        container.close()
        return Path(file.name).read_bytes()


def damaged(clip: bytes, first: int, last: int, kept: float = 0.5) -> bytes:
    """A clip with zeros in each packet from `first` to `last`, from the share `kept` of it on."""
    broken = bytearray(clip)
    with av.open(io.BytesIO(clip), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        for packet in packets[first : last + 1]:
            assert packet.pos is not None
            whole = int(packet.size * kept)
            broken[packet.pos + whole : packet.pos + packet.size] = bytes(packet.size - whole)
    return bytes(broken)


def number_of(picture: Image.Image) -> int:
    """Which frame a picture of `grey` is."""
    return round((float(np.asarray(picture).mean()) + 0.6) / STEP)  # video rounds down


def sound_only() -> bytes:
    """An MP4 file without pictures."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream: Any = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def no_frames() -> bytes:
    """An MP4 file with a video in which there is no frame, as ffmpeg writes it that cuts where nothing is."""
    whole = film([grey(1)] * 5)
    with tempfile.TemporaryDirectory() as folder:
        start, cut = Path(folder) / "start.mp4", Path(folder) / "cut.mp4"
        start.write_bytes(whole)
        run([get_ffmpeg_exe(), "-loglevel", "error", "-i", start, "-t", "0", cut], check=True)
        return cut.read_bytes()
