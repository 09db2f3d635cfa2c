"""REST: one answer at once, the same one streamed, and a picture."""

import json
import os

import httpx

with httpx.Client(
    base_url=os.environ.get("INFERENCE_CHAT_URL", "http://127.0.0.1:7860"), timeout=60
) as client:
    body = {"messages": [{"role": "user", "content": "Hello!"}], "parameters": {"max_tokens": 40}}
    answer = client.post("/inference/text", json=body).raise_for_status().json()
    print(answer["output"]["text"], f"({answer['usage']['completion_tokens']} tokens)")

    with client.stream("POST", "/inference/text", json=body | {"stream": True}) as stream:
        for line in stream.iter_lines():
            frame = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
            if frame.get("type") == "token":
                print(frame["text"], end="", flush=True)
    print()

    with open("photo.png", "rb") as photo:
        told = {"request": '{"task": "object-detection", "threshold": 0.5}'}
        found = client.post("/inference/image", files={"image": photo}, data=told)
    print(found.raise_for_status().json()["output"])
