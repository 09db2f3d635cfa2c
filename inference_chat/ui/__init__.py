"""The page people see: one tab for each capability, on the same service as every other door."""

from collections.abc import Callable, Mapping

import gradio as gr

from ..service import Service
from . import bar, chat, endpoints
from .theme import MOUNT

__all__ = ["MOUNT", "TABS", "build"]

Tab = Callable[[Service], None]
# Title → what builds it, in the order of the bar; `?tab=title` in the address opens it.
TABS: dict[str, Tab] = {
    "Chat": chat.build,
}


def build(service: Service, tabs: Mapping[str, Tab] = TABS) -> gr.Blocks:
    """The page and the public endpoints of Gradio's clients; nothing is loaded or fetched by it."""
    demo: gr.Blocks = gr.Blocks(title="Inference Chat", fill_height=True, analytics_enabled=False)
    with demo:
        bar.build()
        with gr.Tabs(elem_id="ic-tabs"):
            for title, tab in tabs.items():
                name = title.lower().replace(" ", "-")
                with gr.Tab(title, id=name, elem_id=f"tab-{name}"):
                    tab(service)
        endpoints.add(service)
    return demo
