"""OpenAI's client for Python, unmodified: an answer, a stream, an error."""

import os
from typing import Any

from openai import NotFoundError, OpenAI

URL = os.environ.get("INFERENCE_CHAT_URL", "http://127.0.0.1:7860")
client = OpenAI(base_url=f"{URL}/v1", api_key=os.environ.get("INFERENCE_CHAT_KEY", "none"))
hello = {"role": "user", "content": "Hello!"}
ask: dict[str, Any] = {"model": "starter-chat", "messages": [hello], "max_tokens": 40}
print(client.chat.completions.create(**ask).choices[0].message.content)
response = client.responses.create(model="starter-chat", input="Hello!", max_output_tokens=40)
print(response.output_text)
for chunk in client.chat.completions.create(**ask, stream=True):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
try:
    client.chat.completions.create(**ask | {"model": "no-such-model"})
except NotFoundError as error:
    print(f"Refused: {error.message}")
