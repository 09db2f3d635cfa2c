"""The real server on a real port, in a thread of the test's own process."""

import asyncio
import json
import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn
from websockets.sync.client import ClientConnection, connect

from inference_chat.api.app import create_app
from inference_chat.service import Service
from inference_chat.settings import Settings

T = TypeVar("T")


def settings(folder: Path, models: Path | None = None, **more: Any) -> Settings:
    """Settings whose files are all below `folder`; `models` is a folder of models to register."""
    fields: dict[str, Any] = {
        "database_url": f"sqlite:{folder}/chat.db",
        "registry_path": folder / "registry.json",
        "model_cards_dir": models or folder / "no-models",
        "media_dir": folder / "media",
        "rate_limit": "off",
        "threads": 1,
    }
    return Settings(**(fields | more))


def one_model(folder: Path, model: Path) -> Path:
    """A folder of models with that one in it."""
    folder.mkdir(exist_ok=True)
    os.symlink(model, folder / model.name)
    return folder


@dataclass
class Server:
    """A running server: its address, the service in it, and its event loop."""

    port: int
    service: Service
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that runs on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def http(self, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, **more)

    @contextmanager
    def socket(self, session_id: str, **more: Any) -> Iterator["Socket"]:
        """A client of the chat socket; it closes properly at the end of the block.

        This client waits for the other's last word only briefly: with unread frames it would not see it.
        """
        with connect(f"{self.ws}/chat/{session_id}/ws", **{"close_timeout": 0.2} | more) as connection:
            yield Socket(connection)


class Socket:
    """A chat socket that speaks in frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, type: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"type": type, **fields}))

    def next(self, *types: str) -> Any:
        """The next frame, or the next one of these types."""
        while True:
            frame = json.loads(self.connection.recv(60))
            if not types or frame["type"] in types:
                return frame

    def turn(self) -> list[Any]:
        """Every frame up to the end of a turn: its message, or its error."""
        frames = [self.next()]
        while frames[-1]["type"] not in ("message", "error"):
            frames.append(self.next())
        return frames


class _Announced(uvicorn.Server):
    """Says when it listens, and on which loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self.loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: Any = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.settled.set()


@contextmanager
def serving(service: Service, demo: Any = None, **mount: Any) -> Iterator[Server]:
    """Serve on a free port until the block ends."""
    app = create_app(service, demo, **mount)
    server = _Announced(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        assert server.settled.wait(60)
        assert server.started
        yield Server(server.servers[0].sockets[0].getsockname()[1], service, server.loop)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
