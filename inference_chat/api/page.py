"""What stands before the routes that Gradio adds: its clients reach the public endpoints, and nothing else.

Its page calls functions by their numbers. By name anyone could call all of them, public or not.
"""

import logging
import re
from collections.abc import Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..logs import REQUEST_ID
from .errors import internal_problem, make_problem, on_framework, respond

log = logging.getLogger(__name__)
CALL = re.compile(r"/gradio_api/(?:call/v2|call|run|api)/(?P<name>[^/]+)")
JOIN = "/gradio_api/queue/join"
BY_NUMBER = "/gradio_api/run/predict"
"""Where the page runs what needs no queue; the number is in the body."""
CLOSED = re.compile(
    r"/gradio_api/(?:vibe|undo-vibe|process_recording|dev/|run-history|profiling|proxy=|deep_link)|/monitoring"
)
"""Routes for developers of pages, and one that converts clips of any length for nobody who was admitted."""


class PublicOnly:
    """Answers 404 for functions that are not in `names`, and for what is `CLOSED`."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, if it may."""
        path = scope.get("path", "")
        call = CALL.match(path)
        if call and call["name"] not in self.names and path.rstrip("/") != BY_NUMBER:
            await _nothing(f"There is no endpoint /{call['name'][:100]}; there are {self._known}.")(
                scope, receive, send
            )
        elif CLOSED.match(path):
            await _nothing("There is nothing at this path; /docs lists every route.")(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    @property
    def _known(self) -> str:
        return ", ".join(f"/{name}" for name in sorted(self.names))


def _nothing(detail: str) -> JSONResponse:
    return respond(make_problem(404, "not_found", detail))


async def on_misfit(request: Request, error: Exception) -> JSONResponse:
    """A call that fits no function: Gradio lets whatever goes wrong with its arguments pass."""
    if request.url.path != JOIN and not CALL.match(request.url.path):
        return await on_failure(request, error)
    log.info("A call of the page did not fit: %r", error)
    said = "This fits none of the page's functions, or not its arguments; see /gradio_api/info."
    return respond(make_problem(422, "invalid_request", said))


async def on_failure(_request: Request, error: Exception) -> JSONResponse:
    """What is a defect of the page's."""
    request_id = REQUEST_ID.get()
    log.error("The page failed in request %s", request_id, exc_info=error)
    return respond(internal_problem(request_id))


HANDLERS: dict[int | type[Exception], Any] = {
    404: on_framework,
    405: on_framework,
    # `ValueError` and its like are what a call that does not fit makes of Gradio's own code.
    **dict.fromkeys((KeyError, IndexError, TypeError, ValueError), on_misfit),
}
"""For errors in Gradio's routes; those that it raises deliberately are its own, as its clients read them."""
