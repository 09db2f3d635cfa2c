"""Fifty people at once: nothing is lost, doubled or swapped."""

import asyncio
import json
from pathlib import Path

import httpx
from websockets.asyncio.client import connect

from inference_chat.service import Service
from tests.server import Server, one_model, serving, settings

SESSIONS, TURNS = 50, 10
SHORT = {"max_tokens": 2, "temperature": 0}


def words(number: int) -> list[str]:
    return [f"session {number}, turn {turn}" for turn in range(TURNS)]


async def over_rest(http: httpx.AsyncClient, session: str, number: int) -> list[str]:
    heard = []
    for word in words(number):
        answer = await http.post(f"/chat/{session}/message", json={"content": word})
        heard.append(answer.raise_for_status().json()["message"]["content"])
    return heard


async def over_socket(server: Server, session: str, number: int) -> list[str]:
    heard = []
    async with connect(f"{server.ws}/chat/{session}/ws", compression=None) as socket:
        for word in words(number):
            await socket.send(json.dumps({"type": "message", "content": word}))
            tokens = ""
            while (frame := json.loads(await socket.recv()))["type"] != "message":
                assert frame["type"] in ("ready", "typing", "token"), frame
                tokens += frame.get("text", "") if frame["type"] == "token" else ""
            assert frame["message"]["content"] == tokens
            heard.append(tokens)
    return heard


async def converse(server: Server, http: httpx.AsyncClient, number: int) -> None:
    started = await http.post("/chat/start", json={"settings": SHORT, "title": str(number)})
    session = started.raise_for_status().json()["session_id"]
    talk = over_rest(http, session, number) if number % 2 else over_socket(server, session, number)
    heard = await talk
    kept = (await http.get(f"/chat/{session}/history", params={"limit": 1000})).json()["messages"]
    turns = [text for turn in zip(words(number), heard, strict=True) for text in turn]
    assert [message["content"] for message in kept] == turns
    assert [message["role"] for message in kept] == ["user", "assistant"] * TURNS
    assert {message["status"] for message in kept} == {"complete"}


async def test_fifty_sessions_of_ten_turns(tmp_path: Path, tiny_llama: Path):
    service = Service(settings(tmp_path, one_model(tmp_path / "models", tiny_llama)))
    with serving(service) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=300, limits=httpx.Limits()) as http:
            await asyncio.gather(*(converse(server, http, number) for number in range(SESSIONS)))
            listed = (await http.get("/chat", params={"limit": 100})).json()["items"]
    assert sorted(int(one["title"]) for one in listed) == list(range(SESSIONS))
