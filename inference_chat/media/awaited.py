"""Frames that a clip's packets promise: some decoders drop those they cannot decode, and say nothing."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


class Awaited:
    """Told of each packet and each frame in turn, it knows which frames never came, by their time stamps.

    Frames come in the order they are shown in. What is shown before the first one is not missed: at the
    beginning, and after a jump, it may rest on what is not there.
    """

    def __init__(self) -> None:
        self._due: set[int] = set()
        self._first: int | None = None

    def sent(self, packet: "Packet[VideoStream]") -> None:
        """A packet goes to the decoder."""
        if packet.size and packet.pts is not None and not packet.is_discard:
            self._due.add(packet.pts)

    def came(self, frame: "VideoFrame") -> list[int]:
        """The stamps of frames that should have come before this one."""
        if frame.pts is None:
            return []
        if self._first is None:
            self._first = frame.pts
        self._due.discard(frame.pts)
        return self._missed(frame.pts)

    def rest(self) -> list[int]:
        """The stamps of those that have not come when all is over."""
        return self._missed(max(self._due, default=0) + 1)

    def _missed(self, until: int) -> list[int]:
        past = [stamp for stamp in self._due if stamp < until]
        self._due.difference_update(past)
        return sorted(stamp for stamp in past if self._first is not None and stamp >= self._first)
