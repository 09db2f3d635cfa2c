"""The page people see: one tab for each capability, on the same service as every other door."""

from collections.abc import Callable

import gradio as gr

from ..service import Service
from . import chat, endpoints
from .theme import MOUNT

__all__ = ["MOUNT", "TABS", "build"]

TABS: dict[str, Callable[[Service], None]] = {
    "Chat": chat.build,
}


def build(service: Service) -> gr.Blocks:
    """The page and the public endpoints of Gradio's clients; nothing is loaded or fetched by it."""
    demo: gr.Blocks = gr.Blocks(title="Inference Chat", fill_height=True, analytics_enabled=False)
    with demo:
        if len(TABS) == 1:
            next(iter(TABS.values()))(service)
        else:
            with gr.Tabs():
                for title, tab in TABS.items():
                    with gr.Tab(title):
                        tab(service)
        endpoints.add(service)
    return demo
