"""One call on its way: a thread of its own reads it, and hanging up ends it wherever it is."""

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from threading import Event as Flag
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
TICK: Final = 0.05
"""Seconds until a stop is seen."""


class Line(Generic[T]):
    """Gives what `work` yields; the sockets that it opens are told to `trace`."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._sockets: list[socket.socket] = []
        self._over = threading.Event()

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Remember a connection (httpcore's `trace` extension)."""
        if name in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._sockets.append(info["return_value"].get_extra_info("socket"))
            if self._over.is_set():
                self.hang_up()

    def hang_up(self) -> None:
        """Close the connection, also while the thread waits for it."""
        self._over.set()
        for one in self._sockets:
            with contextlib.suppress(OSError):  # closed already, or wrapped since
                # The plain one: that of TLS sockets takes away what their reader is using.
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    def listen(self, work: Callable[[], Iterator[T]], stop: Flag) -> Iterator[T | None]:
        """Items as they come, None while none does; ends early, and hangs up, when `stop` is set."""
        threading.Thread(target=self._read, args=(work,), name="endpoint", daemon=True).start()
        try:
            while not stop.is_set():
                try:
                    kind, item = self._items.get(timeout=TICK)
                except queue.Empty:
                    yield None
                    continue
                if kind == "end":
                    return
                if kind == "error":
                    raise item
                yield item
        finally:
            self.hang_up()

    def _read(self, work: Callable[[], Iterator[T]]) -> None:
        try:
            for item in work():
                self._items.put(("item", item))
                if self._over.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - it belongs to who listens, whatever it is
            self._items.put(("error", error))
        else:
            self._items.put(("end", None))
