"""How every error looks on a wire: one table from class to HTTP status, one shape (RFC 9457)."""

from collections.abc import Collection
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from .. import errors
from ..errors import InferenceChatError
from ..schema import sentence

STATUS: dict[type[InferenceChatError], HTTPStatus] = {
    errors.InferenceChatError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidModel: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnsupportedTask: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnsafeModel: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.ModelNotFound: HTTPStatus.NOT_FOUND,
    errors.VersionNotFound: HTTPStatus.NOT_FOUND,
    errors.SessionNotFound: HTTPStatus.NOT_FOUND,
    errors.MessageNotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.ModelExists: HTTPStatus.CONFLICT,
    errors.ModelBusy: HTTPStatus.CONFLICT,
    errors.SessionBusy: HTTPStatus.CONFLICT,
    errors.BadMedia: HTTPStatus.BAD_REQUEST,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.TryLater: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.QuotaUsed: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.OutOfMemory: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.EndpointUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.HubUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlinePassed: HTTPStatus.GATEWAY_TIMEOUT,
    errors.ModelFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.SettingsError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

# What the web framework itself refuses; its other statuses below 500 are plain invalid requests.
FRAMEWORK_CODES = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
NOT_JSON = "This route takes JSON: send the header `Content-Type: application/json`."
# What it says of its own accord is less than what would help.
BARE = {
    "not_found": "There is nothing at this path; /docs lists every route.",
    "method_not_allowed": "This method is not for this path; /docs lists every route.",
}


class Problem(BaseModel):
    """An error answer; `code` is the stable word to branch on, `detail` the sentence to read."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:inference-chat:error:model_not_found",
                    "title": "Model not found",
                    "status": 404,
                    "detail": "There is no model `starter-chat2`; did you mean `starter-chat`?",
                    "code": "model_not_found",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str


def make_problem(status: int, code: str, detail: str) -> Problem:
    """The one shape of an error."""
    return Problem(
        type=f"urn:inference-chat:error:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        # A detail may quote what was sent, which may hold what cannot be encoded.
        detail=detail.encode(errors="replace").decode(),
        code=code,
    )


def problem_of(error: InferenceChatError) -> Problem:
    """How a deliberate error is told to clients."""
    status = next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)
    return make_problem(status, error.code, error.detail)


def internal_problem(request_id: str) -> Problem:
    """How an unexpected error is told to clients: nothing but where to look it up."""
    return make_problem(
        500, "internal_error", f"Something unexpected went wrong; the server's log has it as {request_id}."
    )


class OpenAIError(BaseModel):
    message: str
    type: str
    param: str | None
    code: str


class OpenAIProblem(BaseModel):
    """An error in the shape of OpenAI's API."""

    error: OpenAIError


KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def openai_problem(problem: Problem) -> dict[str, Any]:
    """The same in the shape that OpenAI's clients read."""
    kind = KINDS.get(problem.status, "server_error" if problem.status >= 500 else "invalid_request_error")
    return {"error": {"message": problem.detail, "type": kind, "param": None, "code": problem.code}}


def respond(problem: Problem, headers: dict[str, str] | None = None, path: str = "") -> JSONResponse:
    """The HTTP response that carries a problem, in the shape that callers of `path` expect."""
    if path.startswith("/v1/"):
        return JSONResponse(openai_problem(problem), problem.status, headers=headers)
    return JSONResponse(
        problem.model_dump(), problem.status, headers=headers, media_type="application/problem+json"
    )


def error_response(error: InferenceChatError, path: str = "") -> JSONResponse:
    """The HTTP response to a deliberate error."""
    headers: dict[str, str] = {}
    if isinstance(error, errors.TryLater):
        headers["Retry-After"] = str(max(1, ceil(error.retry_after)))
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return respond(problem_of(error), headers, path)


# --- handlers -----------------------------------------------------------------------------------


async def on_deliberate(request: Request, error: Exception) -> JSONResponse:
    """Answer an error of `errors.py`."""
    assert isinstance(error, InferenceChatError)
    return error_response(error, request.url.path)


async def on_invalid(request: Request, error: Exception) -> JSONResponse:
    """Answer a request whose fields do not fit the route."""
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):  # FastAPI's sign that the body was not said to be JSON
        return error_response(errors.UnsupportedMediaType(NOT_JSON), request.url.path)
    problem = make_problem(422, "invalid_request", explain_places(error.errors()))
    return respond(problem, path=request.url.path)


async def on_framework(request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses by itself, such as an unknown path or method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # FastAPI's for bytes that are no text
        problem = make_problem(422, "invalid_request", "The body is not JSON in UTF-8, or no whole form.")
        return respond(problem, path=request.url.path)
    code = FRAMEWORK_CODES.get(error.status_code, "invalid_request")
    bare = error.detail == HTTPStatus(error.status_code).phrase
    problem = make_problem(error.status_code, code, BARE.get(code, error.detail) if bare else error.detail)
    return respond(problem, dict(error.headers or {}), request.url.path)


class OtherMethods:
    """Stands behind the routes of a path, and refuses the methods that none of them has."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allow = ", ".join(sorted(allowed))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = f"{scope['method']} is not for this path; there are {self._allow}."
        problem = make_problem(405, "method_not_allowed", said)
        await respond(problem, {"Allow": self._allow}, scope["path"])(scope, receive, send)


HANDLERS: dict[int | type[Exception], Any] = {
    InferenceChatError: on_deliberate,
    RequestValidationError: on_invalid,
    HTTPException: on_framework,
}


def explain_places(findings: Any) -> str:
    """Validation findings in one line, each with its place and without the value that was sent."""
    return "; ".join(
        f"{'.'.join(str(step) for step in item['loc'])}: {sentence(item['msg'])}" for item in findings
    )


# --- documentation ------------------------------------------------------------------------------

WHEN = {
    400: "The picture, sound or clip cannot be decoded, or is not what it says it is.",
    401: "A key is set and it is missing or wrong.",
    403: "The operator has switched this off.",
    404: "There is no such model, version, conversation or message.",
    409: "It contradicts the present state: it exists, is in use, or a reply is being written.",
    413: "The body or the prompt is above its limit.",
    415: "This media type is not understood.",
    422: "A field is missing, unknown or out of its bounds.",
    426: "Only a WebSocket is spoken here.",
    429: "Too many requests, or a quota is used up; see `Retry-After`.",
    500: "The model failed, or something unexpected; other requests go on.",
    503: "Overloaded, out of memory, or storage or the hub cannot be used; see `Retry-After`.",
    504: "The request's deadline passed; its compute has been stopped.",
}


def problems(*statuses: int, openai: bool = False) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the error answers a route can give."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    if openai:
        content = {"application/json": {"schema": OpenAIProblem.model_json_schema()}}
    return {status: {"description": WHEN[status], "content": content} for status in sorted(statuses)}
