"""The Model Context Protocol: the tools an assistant has here, and two of them called."""

import asyncio
import base64
import os
from pathlib import Path

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

URL = os.environ.get("INFERENCE_CHAT_URL", "http://127.0.0.1:7860")
PHOTO = base64.b64encode(Path("photo.png").read_bytes()).decode()


async def main() -> None:
    async with (
        streamable_http_client(f"{URL}/gradio_api/mcp") as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        for tool in (await session.list_tools()).tools:
            print(tool.name, "-", (tool.description or "").splitlines()[0])
        said = await session.call_tool("chat", {"message": "Hello!", "parameters": {"max_tokens": 40}})
        print(said.structuredContent)
        ask = {"image": f"data:image/png;base64,{PHOTO}", "task": "object-detection"}
        print((await session.call_tool("analyze_image", ask)).structuredContent)


asyncio.run(main())
