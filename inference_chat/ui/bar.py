"""What lies beside the tabs: the name at the left, light and dark at the right."""

from pathlib import Path

import gradio as gr

ASSETS = Path(__file__).parent / "assets"


def build() -> None:
    """Put the bar into the Blocks being built; `page.css` lays it over the row of tabs."""
    gr.HTML(
        html_template=(ASSETS / "bar.html").read_text("utf-8"),
        js_on_load=(ASSETS / "bar.js").read_text("utf-8"),
        apply_default_css=False,
        elem_id="ic-bar",
    )
