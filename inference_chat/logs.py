"""What is logged and how: lines for people, or one JSON object a line; each names its request."""

import logging
from contextvars import ContextVar

from .settings import Settings

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The request that the present task works for."""
REQUESTS = logging.getLogger("inference_chat.requests")
"""One record for every request that was answered: at the level INFO as JSON, else at DEBUG."""


class WithRequest(logging.Filter):
    """Gives every record the `request_id` it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        request_id = REQUEST_ID.get()
        record.request_id = request_id or None
        record.of_request = f" [{request_id}]" if request_id else ""
        return True


class AllButRefusals(logging.Filter):
    """Leaves out what uvicorn says of a socket that was refused with a status, as one without a key is.

    It is no error, and anyone could fill the log with it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("ASGI callable returned without completing handshake")


def set_up(settings: Settings) -> None:
    """Make the root logger write as the operator has asked; called once, at the start."""
    handler = logging.StreamHandler()
    handler.addFilter(WithRequest())
    handler.setFormatter(_json() if settings.log_format == "json" else _lines())
    logging.basicConfig(handlers=[handler])
    logging.getLogger("uvicorn.error").addFilter(AllButRefusals())
    level = "debug" if settings.log_level == "trace" else settings.log_level
    logging.getLogger("inference_chat").setLevel(level.upper())


def request_level(settings: Settings) -> int:
    """At which level answered requests are logged."""
    return logging.INFO if settings.log_format == "json" else logging.DEBUG


def _lines() -> logging.Formatter:
    return logging.Formatter("%(levelname)s: %(name)s%(of_request)s: %(message)s")


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        ["levelname", "name", "message", "request_id"],
        rename_fields={"levelname": "level", "name": "logger"},
        reserved_attrs=[
            *logging.makeLogRecord({}).__dict__,
            "of_request",
            "message",
            "color_message",
        ],
        timestamp="time",
    )
