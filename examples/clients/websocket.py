"""A WebSocket: a conversation, token by token; `stop` ends a reply, `ping` is answered with `pong`."""

import json
import os

import httpx
from websockets.sync.client import connect

URL = os.environ.get("INFERENCE_CHAT_URL", "http://127.0.0.1:7860")
chat = httpx.post(f"{URL}/chat/start", json={}).json()["session_id"]
with connect(f"{URL.replace('http', 'ws', 1)}/chat/{chat}/ws") as socket:
    socket.send(json.dumps({"type": "message", "content": "Hello!", "settings": {"max_tokens": 40}}))
    for frame in map(json.loads, socket):
        if frame["type"] == "token":
            print(frame["text"], end="", flush=True)
        if frame["type"] in ("message", "error"):
            print()
            break
