"""`/gradio_api/mcp`: the public endpoints as tools of the Model Context Protocol, over streamable HTTP.

Each request stands alone, so nothing is kept for clients that never come back, and one that goes away
stops what it asked for. Keys are asked for, and calls counted, as at every other door.
"""

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import McpError
from starlette.types import Receive, Scope, Send

from .. import __version__
from ..access import Caller
from ..errors import InferenceChatError, NotFound, TryLater
from ..schema import JSON, new_id
from ..service import Service
from ..tools import Tool
from .errors import Problem, internal_problem, problem_of

log = logging.getLogger(__name__)
PATH = "/gradio_api/mcp"
REFUSED = -32000
"""JSON-RPC's first code for errors of a server's own."""
ABOUT = """Chat with models on this server, show them pictures, clips and sounds, have them draw and film.
Start with `list_models`; what made a call fail is said in a sentence, with what would work."""
Blocks = types.TextContent | types.ImageContent | types.AudioContent | types.EmbeddedResource
Content = list[Blocks]


class Door:
    """Speaks MCP for some tools. `run` stands around the life of the server."""

    def __init__(self, service: Service, tools: Sequence[Tool]) -> None:
        self._service = service
        self._tools = {tool.name: tool for tool in tools}
        self._server: Server[Any, Any] = Server("Inference Chat", version=__version__, instructions=ABOUT)
        self._server.list_tools()(self._list)  # type: ignore[no-untyped-call]  # the library's own words
        self._server.call_tool(validate_input=False)(self._call)
        size = service.settings.max_body_mb << 20
        self._manager = StreamableHTTPSessionManager(self._server, stateless=True, max_request_body_size=size)

    def run(self) -> AbstractAsyncContextManager[None]:
        """Serve while this is open."""
        return self._manager.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        await self._manager.handle_request(scope, receive, send)

    async def _list(self) -> list[types.Tool]:
        try:
            self._service.admit(self._caller)
        except InferenceChatError as error:
            raise McpError(_refusal(error)) from None
        return [
            types.Tool(name=tool.name, description=tool.description, inputSchema=tool.schema)
            for tool in self._tools.values()
        ]

    async def _call(self, name: str, arguments: JSON) -> types.CallToolResult:
        try:
            if name not in self._tools:
                raise NotFound(f"There is no tool {name!r}; there are {', '.join(self._tools)}.")
            tool = self._tools[name]
            return _result(await self._run(tool, tool.check(arguments)), tool.names)
        except InferenceChatError as error:
            return _failed(problem_of(error), error)
        except Exception:
            # The last line of defence: the library would tell the client whatever the exception says.
            reference = new_id()
            log.exception("tool call %s failed", reference)
            return _failed(internal_problem(reference))

    async def _run(self, tool: Tool, arguments: JSON) -> Any:
        """The last value; the ones before it are told as progress where the client asked for it."""
        context = self._server.request_context
        token = context.meta.progressToken if context.meta else None
        value: Any = None
        async with aclosing(tool.call(context.request, **arguments)) as values:  # type: ignore[type-var]
            number = 0
            async for value in values:
                number += 1
                if token is not None:
                    said = value[0] if isinstance(value, tuple) else value
                    await context.session.send_progress_notification(
                        token,
                        number,
                        message=said if isinstance(said, str) else None,
                        related_request_id=str(context.request_id),
                    )
        return value

    @property
    def _caller(self) -> Caller:
        request: Any = self._server.request_context.request
        caller: Caller = request.state.caller
        return caller


def _result(value: Any, names: Sequence[str]) -> types.CallToolResult:
    """A value as what assistants read: text, and files as files."""
    found: Content = []
    match value:
        case None:
            return types.CallToolResult(content=[types.TextContent(type="text", text="")])
        case str():
            return types.CallToolResult(content=[types.TextContent(type="text", text=value)])
        case tuple():
            value = dict(zip(names, value, strict=True))
    told = _without_files(value, found)
    text = types.TextContent(type="text", text=json.dumps(told, ensure_ascii=False))
    return types.CallToolResult(content=[text, *found], structuredContent=told)


def _without_files(value: Any, found: Content) -> Any:
    """The value with its `data:` URLs put into `found` as blocks of their own."""
    match value:
        case dict():
            return {name: _without_files(one, found) for name, one in value.items()}
        case list() | tuple():
            return [_without_files(one, found) for one in value]
        case str() if value.startswith("data:") and ";base64," in value[:100]:
            media_type, _, data = value.removeprefix("data:").partition(";base64,")
            found.append(_block(media_type, data, len(found)))
            return f"{media_type}, as block {len(found)} after this text"
        case _:
            return value


def _block(media_type: str, data: str, number: int) -> Blocks:
    match media_type.partition("/")[0]:
        case "image":
            return types.ImageContent(type="image", data=data, mimeType=media_type)
        case "audio":
            return types.AudioContent(type="audio", data=data, mimeType=media_type)
        case _:
            uri: Any = f"result:///{number}"
            blob = types.BlobResourceContents(uri=uri, blob=data, mimeType=media_type)
            return types.EmbeddedResource(type="resource", resource=blob)


def _failed(problem: Problem, error: InferenceChatError | None = None) -> types.CallToolResult:
    text = types.TextContent(type="text", text=problem.detail)
    told = problem.model_dump(include={"code", "status", "detail"})
    if isinstance(error, TryLater):
        told["retry_after"] = error.retry_after
    return types.CallToolResult(content=[text], structuredContent={"error": told}, isError=True)


def _refusal(error: InferenceChatError) -> types.ErrorData:
    problem = problem_of(error)
    return types.ErrorData(
        code=REFUSED, message=problem.detail, data={"code": problem.code, "status": problem.status}
    )


Tools = Callable[[Any], Sequence[Tool]]
"""The tools of a page."""
