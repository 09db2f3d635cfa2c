"""The Model Context Protocol, through the official client over streamable HTTP."""

import asyncio
import base64
import io
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image

from inference_chat import ui
from inference_chat.api import mcp
from inference_chat.runners import OPTIONS
from inference_chat.service import Service
from inference_chat.ui.tools import DOES
from tests import tiny, tiny_vision
from tests.server import Server, serving, settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mcp")
    tiny.card(tiny.build(folder / "models" / "tiny-llama", window=8192), name="tiny-llama")
    tiny_vision.build("ViTForImageClassification", folder / "models" / "tiny-vit")
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        running.call(service.models.load("tiny-llama"))
        yield running


@asynccontextmanager
async def talking(url: str, **headers: str) -> AsyncIterator[ClientSession]:
    async with (
        httpx.AsyncClient(headers=headers, timeout=60) as http,
        streamable_http_client(f"{url}{mcp.PATH}", http_client=http) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        yield session


def text(result: CallToolResult) -> str:
    block = result.content[0]
    assert isinstance(block, TextContent)
    return block.text


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_the_tools_are_the_public_endpoints(server: Server):
    async with talking(server.url) as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    with server.http() as http:
        endpoints = http.get("/gradio_api/info").json()["named_endpoints"]
    assert tools.keys() == {name.removeprefix("/") for name in endpoints}
    assert all(tool.description for tool in tools.values())
    generate = tools["generate"].inputSchema
    assert generate["required"] == ["prompt"]
    assert "temperature" in generate["properties"]["parameters"]["description"]
    assert tools["analyze_image"].inputSchema["properties"]["image"]["type"] == "string"
    for tool in tools.values():
        told = tool.inputSchema["properties"].items()
        assert [name for name, field in told if not field.get("description")] == [], tool.name


async def test_a_parameter_is_told_at_every_door(server: Server):
    """It is a field of the options of its task, and nothing else: no door has a list of its own."""
    async with talking(server.url) as session:
        tools = {tool.name: tool.inputSchema for tool in (await session.list_tools()).tools}
    with server.http() as http:
        document = http.get("/openapi.json").json()
        endpoints = http.get("/gradio_api/info").json()["named_endpoints"]
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for task, options in OPTIONS.items():
        told = document["components"]["schemas"][options.__name__]["properties"]
        assert told.keys() == options.model_fields.keys()
        assert all("description" in field or "$ref" in str(field) for field in told.values()), task
        assert f"`{task}` | `{options.__name__}`" in document["info"]["description"]
        [row] = [line for line in readme.splitlines() if line.startswith(f"| `{task}` |") and "`" in line[9:]]
        assert all(f"`{name}`" in row for name in told)
        for endpoint, tasks in DOES.items():
            if task in tasks:
                schema = tools[endpoint]["properties"]["parameters"]["description"]
                [shown] = [
                    one["python_type"]["description"]
                    for one in endpoints[f"/{endpoint}"]["parameters"]
                    if one["parameter_name"] == "parameters"
                ]
                assert all(name in schema and name in shown for name in told), (endpoint, task)


async def test_a_conversation(server: Server):
    ask = {"message": "hello", "parameters": {"max_tokens": 4, "temperature": 0}}
    async with talking(server.url) as session:
        first = (await session.call_tool("chat", ask)).structuredContent
        assert first
        again = await session.call_tool("chat", ask | {"session_id": first["session_id"]})
    with server.http() as http:
        stored = http.get(f"/chat/{first['session_id']}/history").json()["messages"]
    assert [message["role"] for message in stored] == ["user", "assistant"] * 2
    assert again.structuredContent == {"reply": stored[-1]["content"], "session_id": first["session_id"]}


async def test_a_text_grows_as_progress(server: Server):
    seen: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(message or "")

    ask = {"prompt": "go", "parameters": {"max_tokens": 300, "temperature": 0}}
    async with talking(server.url) as session:
        result = await session.call_tool("generate", ask, progress_callback=on_progress)
    assert seen
    assert all(text(result).startswith(part) for part in seen)


async def test_a_picture_is_analysed(server: Server):
    picture = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(picture, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"
    async with talking(server.url) as session:
        found = await session.call_tool("analyze_image", {"image": url, "parameters": {"top_k": 2}})
    assert found.structuredContent
    assert found.structuredContent["task"] == "image-classification"
    assert [label.keys() for label in found.structuredContent["output"]] == [{"label", "score"}] * 2


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "words"),
    [
        ("generate", {"prompt": "x", "model": "no-such"}, "model_not_found", "no-such"),
        ("generate", {"prompt": 7}, "invalid_request", "prompt"),
        ("generate", {"prompt": "x", "parameters": {"max_tokens": -1}}, "invalid_request", "max_tokens"),
        ("generate", {"prompt": "x", "colour": "red"}, "invalid_request", "colour"),
        ("analyze_image", {"image": "/etc/hostname"}, "bad_media", "base64"),
        ("analyze_image", {"image": "http://127.0.0.1/x.png"}, "forbidden", "data: URL"),
        ("no_such_tool", {}, "not_found", "list_models"),
    ],
)
async def test_what_goes_wrong_is_said(
    server: Server, tool: str, arguments: dict[str, Any], code: str, words: str
):
    async with talking(server.url) as session:
        result = await session.call_tool(tool, arguments)
    assert result.isError
    assert result.structuredContent
    assert result.structuredContent["error"]["code"] == code
    assert words in text(result)


def test_files_are_blocks_of_their_own():
    answer = {"output": {"images": ["data:image/png;base64,AAAA"]}, "model": "painter"}
    result = mcp._result(answer, ())
    assert result.content[1] == ImageContent(type="image", data="AAAA", mimeType="image/png")
    assert "AAAA" not in text(result)
    assert "painter" in text(result)


async def test_a_client_that_goes_stops_the_compute(server: Server):
    ask = {"prompt": "go", "parameters": {"max_tokens": 7000, "temperature": 0}}
    async with httpx.AsyncClient(timeout=60) as http:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        body = call | {"params": {"name": "generate", "arguments": ask}}
        accept = {"Accept": "application/json, text/event-stream"}
        asked = asyncio.create_task(http.post(f"{server.url}{mcp.PATH}", json=body, headers=accept))
        await asyncio.to_thread(until, lambda: any(server.service.jobs.counts))
        asked.cancel()
    await asyncio.to_thread(until, lambda: not any(server.service.jobs.counts))
    assert server.service.records.recent(1)[0].finish_reason == "cancelled"


async def test_keys_and_limits_hold_here_too(tmp_path: Path):
    service = Service(settings(tmp_path, api_keys="k", rate_limit="2/hour"))
    with serving(service, ui.build(service), **ui.MOUNT) as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.post(mcp.PATH, json={})).status_code == 401
        async with talking(server.url, **{"X-API-Key": "k"}) as session:
            await session.list_tools()
            assert not (await session.call_tool("cache_stats", {})).isError
            refused = await session.call_tool("cache_stats", {})
            assert refused.structuredContent
            assert refused.structuredContent["error"]["code"] == "rate_limited"
            assert refused.structuredContent["error"]["retry_after"] > 60
            with pytest.raises(McpError, match="2 per 1 hour"):
                await session.list_tools()
