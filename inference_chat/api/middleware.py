"""What every request passes first, Gradio's and WebSockets included."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Forbidden, TooLarge
from ..logs import REQUEST_ID, REQUESTS
from ..schema import new_id
from .errors import error_response, internal_problem, respond
from .headers import write_headers

log = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
STARTS = frozenset({"http.response.start", "websocket.http.response.start"})
USABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Envelope:
    """Gives every response a request id and safe headers, answers unexpected errors, drops stalled readers.

    What is sent waits for the client to take what came before, so that no more than that is ever held
    for it. `patience` is how many seconds it may take. Requests are logged at `level`.
    """

    def __init__(self, app: ASGIApp, patience: float, level: int) -> None:
        self.app = app
        self.patience = patience
        self.level = level

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        token, began = REQUEST_ID.set(request_id), time.perf_counter()
        status, stalled = 0, False

        async def dressed(message: Message) -> None:
            nonlocal status, stalled
            if message["type"] in STARTS:
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                write_headers(scope["path"], headers)
            try:
                async with asyncio.timeout(self.patience):
                    await send(message)
            except TimeoutError:
                stalled = True
                raise

        try:
            await self.app(scope, receive, dressed)
        except Exception:
            if stalled:
                log.warning("A client was dropped: it took nothing of its answer for %g s.", self.patience)
                return
            # The last line of defence: a client gets no traceback, and the server goes on.
            log.exception("request %s failed: %s %s", request_id, scope.get("method", "WS"), scope["path"])
            if scope["type"] != "http" or status:
                raise
            await respond(internal_problem(request_id), path=scope["path"])(scope, receive, dressed)
        finally:
            self._log(scope, status, time.perf_counter() - began)
            REQUEST_ID.reset(token)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        """One record of a request; what stands behind the `?` of its address may be anybody's secret."""
        if REQUESTS.isEnabledFor(self.level):
            method, ms = scope.get("method", "WS"), round(1000 * seconds, 1)
            extra = {"method": method, "path": scope["path"], "status": status, "ms": ms}
            REQUESTS.log(self.level, "%s %s %d in %g ms", method, scope["path"], status, ms, extra=extra)


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
    """Refuses what another web page makes a visitor's browser send here, unless it is of a known origin."""

    def __init__(self, app: ASGIApp, origins: Collection[str] = ()) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it comes from a foreign page."""
        if scope["type"] != "lifespan" and _foreign(scope) and not self._known(scope):
            refusal = Forbidden("Pages of other sites cannot use this server.")
            await error_response(refusal, scope["path"])(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _known(self, scope: Scope) -> bool:
        return "*" in self.origins or Headers(scope=scope).get("origin") in self.origins


class KnownHosts:
    """Refuses names that somebody else may have given this machine.

    A page whose name leads first to its own server and then to 127.0.0.1 is of one origin with whatever
    listens here, and without a key nothing else would stop it. Only what arrives over the loopback
    interface is looked at; a name without a dot is nobody's to give.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self.app = app
        self.names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless its `Host` is a stranger's."""
        name = "" if scope["type"] == "lifespan" else _name(Headers(scope=scope).get("host", ""))
        if not name or name in self.names or _is_local(name) or not _over_loopback(scope):
            await self.app(scope, receive, send)
            return
        refusal = Forbidden(
            f"This server does not go by the name {name[:100]}; its operator can allow it in ALLOWED_HOSTS."
        )
        await error_response(refusal, scope["path"])(scope, receive, send)


def _name(host: str) -> str:
    return (urlsplit(f"//{host}").hostname or "").rstrip(".")


def _is_local(name: str) -> bool:
    return "." not in name or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _over_loopback(scope: Scope) -> bool:
    here = (scope.get("server") or ("",))[0]
    return _is_address(here) and ip_address(here).is_loopback


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
