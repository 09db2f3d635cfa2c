"""Chat with torch models on your own machine: one service behind a page, REST, WebSocket and Gradio's API.

Programs usually talk to a running server. Inside one process: `inference_chat.settings.Settings`,
`inference_chat.service.Service`. Importing the package alone brings neither torch nor gradio.
"""

__version__ = "0.1.0"
