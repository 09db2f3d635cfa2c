"""Hugging Face's client, unmodified: an answer of the default model, a stream, an error."""

import os
from typing import Any

from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

URL = os.environ.get("INFERENCE_CHAT_URL", "http://127.0.0.1:7860")
client = InferenceClient(base_url=f"{URL}/v1", api_key=os.environ.get("INFERENCE_CHAT_KEY", "none"))
hello: list[dict[str, Any]] = [{"role": "user", "content": "Hello!"}]
print(client.chat_completion(hello, max_tokens=40).choices[0].message.content)
for chunk in client.chat_completion(hello, max_tokens=40, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
try:
    client.chat_completion(hello, model="no-such-model")
except HfHubHTTPError as error:
    print(f"Refused: {error.response.status_code} {error.server_message}")
