"""Gradio's client for Python; `client.view_api()` explains every endpoint."""

import os

from gradio_client import Client, handle_file

client = Client(os.environ.get("INFERENCE_CHAT_URL", "http://127.0.0.1:7860"), verbose=False)
reply, chat = client.predict("Hello!", parameters={"max_tokens": 40}, api_name="/chat")
print(reply)
for text in client.submit("And again?", chat, parameters={"max_tokens": 40}, api_name="/chat"):
    print(text[0])
found = client.predict(handle_file("photo.png"), task="object-detection", api_name="/analyze_image")
print(found["output"])
client.close()
