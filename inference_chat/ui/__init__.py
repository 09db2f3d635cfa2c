"""The page people see: one tab for each capability, on the same service as every other door."""

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from ..service import Service
from . import (
    bar,
    chat,
    choosing_endpoints,
    compare,
    dashboard,
    endpoints,
    evaluate,
    image,
    inside,
    media_endpoints,
    multimodal,
    registry,
    video,
)
from .calm import calm
from .news import news_of
from .theme import LOOK
from .tools import describe, tools_of

__all__ = ["MOUNT", "TABS", "build"]

Tab = Callable[[Service], None]
# Title → what builds it, in the order of the bar; `?tab=title` in the address opens it.
TABS: dict[str, Tab] = {
    "Chat": chat.build,
    "Image": image.build,
    "Video": video.build,
    "Multimodal": multimodal.build,
    "Compare": compare.build,
    "Registry": registry.build,
    "Evaluate": evaluate.build,
    "Inside": inside.build,
    "Dashboard": dashboard.build,
}

# What the server that mounts the page needs beside it: the look, how the page is told of a reply, the tools.
MOUNT: dict[str, Any] = {**LOOK, "views": {"page": news_of}, "tools": tools_of}


def build(service: Service, tabs: Mapping[str, Tab] = TABS) -> gr.Blocks:
    """The page and the public endpoints of Gradio's clients; nothing is loaded or fetched by it."""
    calm()
    demo: gr.Blocks = gr.Blocks(title="Inference Chat", fill_height=True, analytics_enabled=False)
    with demo:
        bar.build()
        with gr.Tabs(elem_id="ic-tabs"):
            for title, tab in tabs.items():
                name = title.lower().replace(" ", "-")
                with gr.Tab(title, id=name, elem_id=f"tab-{name}"):
                    tab(service)
        endpoints.add(service)
        media_endpoints.add(service)
        choosing_endpoints.add(service)
    describe(demo)
    # An empty queue is looked at so often, in seconds. Gradio's 0.001 takes 6 % of a core from the models.
    demo._queue.sleep_when_free = 0.02
    return demo
