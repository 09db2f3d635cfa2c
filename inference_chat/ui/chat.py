"""The tabs Chat and Multimodal: one component, drawn by the scripts in `assets/` and served by `Actions`."""

from pathlib import Path

import gradio as gr

from ..service import Service
from .actions import Actions, doors

ASSETS = Path(__file__).parent / "assets"
# They share one scope, in this order.
SCRIPTS = (
    "dom.js",
    "store.js",
    "sidebar.js",
    "files.js",
    "sources.js",
    "aloud.js",
    "message.js",
    "thread.js",
    "follow.js",
    "controls.js",
    "settings.js",
    "attach.js",
    "microphone.js",
    "camera.js",
    "composer.js",
    "main.js",
)


def build(service: Service, mode: str = "chat") -> None:
    """Put the conversation into the Blocks being built; `mode` says what it begins with."""
    gr.HTML(
        html_template=(ASSETS / "chat.html").read_text("utf-8"),
        js_on_load="\n".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS),
        apply_default_css=False,
        elem_id=mode,
        elem_classes="ic-talk",
        mode=mode,
        server_functions=doors(Actions(service), service),
    )
