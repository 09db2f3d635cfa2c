"""From the environment to a listening server; whatever prevents that is said in one line."""

import asyncio
import errno
import os
import socket
import sys
import webbrowser
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import uvicorn

from . import logs
from .errors import InferenceChatError, SettingsError
from .settings import Settings

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI

    from .service import Service

# Read by the libraries when they are imported: nothing is reported to anybody, and Gradio's own
# bookkeeping of every event, which costs more than many an event, happens rarely.
LIBRARY_DEFAULTS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "50",
    "GRADIO_ANALYTICS_MAX_EVENTS": "500",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
GRACE_SECONDS = 5
"""How long answers being written may take to their end when the server is stopped."""
FAREWELL_SECONDS = 0.6
"""For sockets to be told why they are closed."""
LEAVE_SECONDS = 2
"""How long connections may stay open then, as those of open pages do."""


def assemble() -> "tuple[Settings, gr.Blocks, FastAPI]":
    """Settings → service → page → the app that serves both the page and the APIs.

    Ends the program with status 2 and one line for each reason when it cannot.
    """
    for name, value in LIBRARY_DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        settings = Settings.load()
        logs.set_up(settings)
        from .service import Service

        service = Service(settings)
    except InferenceChatError as error:
        give_up(error.detail)
    from gradio.utils import get_upload_folder

    from . import ui
    from .api.app import create_app

    try:
        demo = ui.build(service)
    except OSError as error:  # Gradio copies the files of the examples
        folder = get_upload_folder()
        if not any(str(place).startswith(folder) for place in (error.filename, error.filename2)):
            raise
        give_up(
            f"The page cannot be made: {error.strerror}. Gradio keeps its files in {folder}: "
            "make room there, or name another folder in GRADIO_TEMP_DIR."
        )
    return settings, demo, create_app(service, demo, **ui.MOUNT)


def serve(app: "FastAPI", settings: Settings, *, browse: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; answers being written get a few seconds to end.

    Ends the program with status 2 where the address cannot be listened on.
    """
    try:
        listener = listen(settings.host, settings.port)
    except SettingsError as error:
        give_up(error.detail)
    config = uvicorn.Config(
        app,
        # Below it writes the headers of each WebSocket, keys among them, and what stands behind a `?`.
        log_level=settings.log_level if settings.log_level in ("critical", "error") else "warning",
        access_log=False,  # ours has the request's id
        log_config=None,
        timeout_graceful_shutdown=LEAVE_SECONDS,
    )
    server = _Server(config, app.state.service, _address(listener), browse=browse)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        sys.exit(3)


def main() -> None:
    """The command line; `--open` also opens a browser where there is one."""
    unknown = [word for word in sys.argv[1:] if word != "--open"]
    if unknown:
        give_up(
            f"{unknown[0]} is unknown. Usage: python -m inference_chat [--open]; settings are in README.md"
        )
    settings, _, app = assemble()
    serve(app, settings, browse="--open" in sys.argv)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to `host`:`port`. Raises `SettingsError` that names the variable to change."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
    except OSError:
        raise SettingsError(_no_address(host)) from None
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, PermissionError):
            reason = f"Port {port} is not allowed to this user: set GRADIO_SERVER_PORT to one above 1023."
        elif isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            reason = (
                f"Port {port} is in use: stop the other program, or set GRADIO_SERVER_PORT to a free port."
            )
        else:
            reason = _no_address(host)
        raise SettingsError(reason) from None
    return listener


def give_up(reason: str) -> NoReturn:
    """End the program with status 2 and `reason` on standard error."""
    print(reason, file=sys.stderr)  # noqa: T201  the last words of the program
    sys.exit(2)


class _Server(uvicorn.Server):
    """Says where the page is once it is there."""

    def __init__(self, config: uvicorn.Config, service: "Service", address: str, *, browse: bool) -> None:
        super().__init__(config)
        self._service = service
        self.address, self.browse = address, browse

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer that nothing more is taken while what runs comes to its end; only then stop listening."""
        if not self.force_exit:
            await self._service.drain(GRACE_SECONDS)
            await asyncio.sleep(FAREWELL_SECONDS)
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        print(f"Inference Chat is at {self.address} (Ctrl+C stops it)", flush=True)  # noqa: T201
        if self.browse and _has_desktop():
            await asyncio.to_thread(webbrowser.open, self.address)


def _has_desktop() -> bool:
    return sys.platform != "linux" or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _address(listener: socket.socket) -> str:
    """The URL people open; an address for "every interface" is shown as this machine's own."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


def _no_address(host: str) -> str:
    return (
        f"{host} is no address of this machine: set GRADIO_SERVER_NAME to 127.0.0.1, or to 0.0.0.0 for all."
    )
