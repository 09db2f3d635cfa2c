"""What every request passes first, Gradio's and WebSockets included."""

import logging
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Forbidden, TooLarge
from ..schema import new_id
from .errors import error_response, internal_problem, respond

log = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
USABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Envelope:
    """Gives every response a request id and security headers, and answers unexpected errors."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        except Exception:
            # The last line of defence: a client gets no traceback, and the server goes on.
            log.exception("request %s failed: %s %s", request_id, scope.get("method", "WS"), scope["path"])
            if scope["type"] != "http" or started:
                raise
            await respond(internal_problem(request_id), path=scope["path"])(scope, receive, dressed)


class BodyLimit:
    """Refuses bodies of more than `limit` bytes, whether or not their size is told beforehand."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what is read."""
        told = Headers(scope=scope).get("content-length", "0") if scope["type"] == "http" else "0"
        if told.isdecimal() and int(told) > self.limit:
            await error_response(TooLarge(self._refusal), scope["path"])(scope, receive, send)
        else:
            await self.app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Callable[[], Awaitable[Message]]:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))  # a WebSocket's frames are limited by the server
            if read > self.limit:
                raise HTTPException(413, self._refusal)
            return message

        return counted

    @property
    def _refusal(self) -> str:
        return f"The body is larger than the {self.limit // 2**20} MiB this server takes."


class SameOrigin:
    """Refuses what another web page makes a visitor's browser send here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it comes from a foreign page."""
        if scope["type"] != "lifespan" and _foreign(scope):
            refusal = Forbidden("Pages of other sites cannot use this server.")
            await error_response(refusal, scope["path"])(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _foreign(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    if scope["type"] == "websocket":
        origin = headers.get("origin")
        hosts = {headers.get("host"), headers.get("x-forwarded-host")}
        return origin is not None and urlsplit(origin).netloc not in hosts
    # Browsers set this header themselves; unlike Host, no proxy in between rewrites it.
    return scope["method"] not in SAFE_METHODS and headers.get("sec-fetch-site") == "cross-site"


def _request_id(scope: Scope) -> str:
    """The caller's own id where it is a plain word, so that logs can be matched; else a fresh one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if USABLE_ID.fullmatch(given) else new_id()
