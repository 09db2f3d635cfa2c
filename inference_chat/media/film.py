"""Writing a clip while its pictures are still being made: a thread draws and encodes into a file on disk."""

import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final, Generic, TypeVar

from PIL import Image

from ..errors import InferenceChatError, StorageFailed, TooLarge
from ..files import explain_failure
from .reel import fitted

T = TypeVar("T")
WAITING: Final = 4
"""Pictures that wait to be written."""
TICK: Final = Fraction(1, 90_000)
QUALITY: Final = {"crf": "26", "preset": "veryfast", "threads": "1"}


class Film(Generic[T]):
    """An MP4 file that grows by one picture a time; `draw` makes the picture from one and what belongs to it.

    Pictures are shown at the times they are given, so the clip runs as fast as the one they are from. What
    goes wrong (a full disk, more than `most` bytes) ends the writing and is kept in `failure`.
    """

    def __init__(
        self,
        draw: Callable[[Image.Image, T], Image.Image],
        *,
        fps: float,
        max_side: int | None = None,
        most: int = 256 * 2**20,
    ) -> None:
        self.failure: InferenceChatError | None = None
        self.frames = 0
        self._draw = draw
        self._fps = Fraction(fps).limit_denominator(1001) if fps > 0 else Fraction(1)
        self._max_side = max_side
        self._most = most
        self._queue: queue.Queue[tuple[Image.Image, float, T]] = queue.Queue(WAITING)
        self._complete = threading.Event()
        self._given_up = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="inference-chat-")
        self._path = Path(self._folder.name) / "clip.mp4"
        self._thread = threading.Thread(target=self._work, name="film", daemon=True)
        self._thread.start()

    def offer(self, picture: Image.Image, time_s: float, extra: T, patience: float) -> bool:
        """Hand over the next picture; False when there is still no room for it after `patience` seconds."""
        if self.failure is not None:
            return True  # it is told at the end
        try:
            self._queue.put((picture, time_s, extra), timeout=patience)
        except queue.Full:
            return False
        return True

    def ended(self, patience: float) -> bool:
        """After the last picture: whether the file is whole, waited for so many seconds."""
        self._complete.set()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def read(self) -> bytes:
        """The file, once it has `ended`; raises its `failure`."""
        if self.failure is not None:
            raise self.failure
        return self._path.read_bytes()

    def close(self) -> None:
        """Give up what is not written yet and remove the file; safe to call again."""
        self._given_up.set()
        self._thread.join()
        self._folder.cleanup()

    def _items(self) -> Iterator[tuple[Image.Image, float, T]]:
        """What is handed over, until all is there or nobody wants it."""
        while not self._given_up.is_set():
            try:
                yield self._queue.get(timeout=0.02)
            except queue.Empty:
                if self._complete.is_set() and self._queue.empty():
                    return

    def _work(self) -> None:
        import av

        try:
            self._write()
        except (
            OSError,
            av.error.FFmpegError,
        ) as error:  # FFmpeg's errors are OSErrors where they have a number
            reason = error if isinstance(error, OSError) else OSError(str(error))
            self.failure = StorageFailed(explain_failure(reason, "annotated clip", new=True))
        except InferenceChatError as error:
            self.failure = error
        except Exception as error:  # noqa: BLE001 - the answer is worth more than its picture
            self.failure = StorageFailed(f"The annotated clip could not be drawn ({type(error).__name__}).")

    def _write(self) -> None:
        import av
        from av.video.stream import VideoStream

        options = {"movflags": "+faststart"}
        with av.open(str(self._path), "w", format="mp4", options=options) as container:
            stream: VideoStream | None = None
            for picture, time_s, extra in self._items():
                if stream is None:
                    stream = container.add_stream("libx264", rate=self._fps)
                    stream.width, stream.height = _even(*fitted(*picture.size, self._max_side))
                    stream.pix_fmt, stream.options = "yuv420p", dict(QUALITY)
                    stream.codec_context.time_base = TICK
                size = (stream.width, stream.height)
                drawn = self._draw(picture, extra)
                shown = drawn if drawn.size == size else drawn.resize(size)
                frame: av.VideoFrame = av.VideoFrame.from_image(shown)  # type: ignore[no-untyped-call]
                frame.pts, frame.time_base = round(time_s / TICK), TICK
                container.mux(stream.encode(frame))
                self.frames += 1
                self._check_size()
            if stream is not None and not self._given_up.is_set():
                container.mux(stream.encode(None))
        self._check_size()

    def _check_size(self) -> None:
        if self._path.exists() and self._path.stat().st_size > self._most:
            raise TooLarge("The annotated clip grew too large. Ask for fewer frames a second.")


def _even(width: int, height: int) -> tuple[int, int]:
    """Sizes that H.264 takes."""
    return max(2, width // 2 * 2), max(2, height // 2 * 2)
