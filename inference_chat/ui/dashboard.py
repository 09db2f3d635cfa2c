"""The Dashboard tab: how the server is doing, drawn by the scripts in `assets/` while somebody looks."""

import hashlib
import json
from pathlib import Path

import gradio as gr

from ..access import Caller
from ..overview import Window
from ..schema import JSON
from ..service import Service
from .actions import doors
from .parts import heading

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("dom.js", "chart.js", "dashboard.js")
MARKUP = '<p class="ic-dash-line" role="status"></p><div class="ic-dash"></div>'


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading("Dashboard", "What this server does, how quickly, and what goes wrong; all of it measured here.")
    gr.HTML(
        html_template=MARKUP,
        js_on_load="\n".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS),
        apply_default_css=False,
        elem_classes="ic-dash-block",
        server_functions=doors(Figures(service), service),
    )


class Figures:
    """What the page's script asks for."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def figures(self, caller: Caller, *, window: Window, have: str | None = None) -> JSON | None:
        """The figures of a window with their `stamp`; None while they are those that the page has."""
        found = await self._service.stats(window)
        stamp = hashlib.blake2b(json.dumps(found).encode(), digest_size=8).hexdigest()
        return None if stamp == have else {**found, "stamp": stamp}
