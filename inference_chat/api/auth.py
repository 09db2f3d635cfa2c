"""Keys, the sign-in page and visitors: who may pass, decided before any route, Gradio's included."""

from html import escape
from importlib.resources import files
from urllib.parse import quote

from fastapi import Form
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..access import KEY_COOKIE, VISITOR_COOKIE, Caller, new_visitor
from ..errors import Unauthorized
from ..service import Service
from .errors import error_response

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/signin"})
MONTH_SECONDS = 30 * 24 * 3600
PAGE = files(__package__).joinpath("signin.html").read_text(encoding="utf-8")


class Authentication:
    """Puts the `Caller` into the request's state, or answers 401, or sends a browser to sign in."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when its caller is known."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        cookies, visitor = connection.cookies, ""
        if self.service.access.by_visitor and VISITOR_COOKIE not in cookies and _is_page(connection):
            visitor = new_visitor()
            cookies = cookies | {VISITOR_COOKIE: visitor}
        try:
            caller = self.service.identify(connection.headers, cookies, address_of(connection))
        except Unauthorized as error:
            await _refuse(connection, error)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, _with_visitor(connection, visitor, send) if visitor else send)


def address_of(connection: HTTPConnection) -> str:
    """Where the caller comes from; a trusted proxy's word has been applied by the server already."""
    return connection.client.host if connection.client else ""


def _is_page(connection: HTTPConnection) -> bool:
    """Whether a browser is opening a page, rather than a program calling."""
    opens = connection.scope["type"] == "http" and connection.scope["method"] == "GET"
    return opens and "text/html" in connection.headers.get("accept", "")


def _refuse(connection: HTTPConnection, error: Unauthorized) -> Response:
    if _is_page(connection):
        return RedirectResponse(f"/signin?next={quote(connection.url.path, safe='/')}", 303)
    return error_response(error, connection.url.path)


def _with_visitor(connection: HTTPConnection, visitor: str, send: Send) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            response = Response()
            _set_cookie(connection, response, VISITOR_COOKIE, visitor)
            message["headers"] = [*message["headers"], *response.raw_headers[-1:]]
        await send(message)

    return marked


def _set_cookie(connection: HTTPConnection, response: Response, name: str, value: str) -> None:
    secure = connection.url.scheme == "https"
    response.set_cookie(name, value, max_age=MONTH_SECONDS, httponly=True, samesite="lax", secure=secure)


# --- the sign-in page ---------------------------------------------------------------------------


async def sign_in_page(next: str = "/") -> HTMLResponse:
    """Ask for the key; works without JavaScript."""
    return _page(next)


async def sign_in(request: Request, key: str = Form(max_length=4096), next: str = Form("/")) -> Response:
    """Check the key and let the browser keep a token that stands for it."""
    service: Service = request.app.state.service
    address = address_of(request)
    service.admit(Caller(owner=f"sign-in:{address}", address=address))
    token = service.access.sign_in(key)
    if token is None:
        return _page(next, "This key is not known here. Check it and try again.", 401)
    response = RedirectResponse(_local(next), 303)
    _set_cookie(request, response, KEY_COOKIE, token)
    return response


async def sign_out() -> Response:
    """Let the browser forget the key."""
    response = RedirectResponse("/signin", 303)
    response.delete_cookie(KEY_COOKIE)
    return response


def _page(next: str, message: str = "", status: int = 200) -> HTMLResponse:
    text = PAGE.replace("{{next}}", escape(_local(next))).replace("{{message}}", escape(message))
    return HTMLResponse(text, status, headers={"Content-Security-Policy": PAGE_POLICY})


PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'self'"


def _local(path: str) -> str:
    """A path on this server, never another site's address."""
    safe = path.startswith("/") and path[1:2] not in ("/", "\\")
    return path if safe and path.isprintable() else "/"
