"""How the page looks: a calm theme of our own from fonts that every machine has."""

from pathlib import Path
from typing import Any

import gradio as gr
from pygments.formatters import HtmlFormatter

ASSETS = Path(__file__).parent / "assets"
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
CODE_FONTS = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")

THEME = gr.themes.Base(
    primary_hue=gr.themes.colors.teal,
    secondary_hue=gr.themes.colors.teal,
    neutral_hue=gr.themes.colors.stone,
    radius_size=gr.themes.sizes.radius_md,
    font=SYSTEM_FONTS,
    font_mono=CODE_FONTS,
).set(
    body_background_fill="#fbfaf8",
    body_background_fill_dark="#191918",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_text_color="white",
)


def css() -> str:
    """The style sheet: that of the chat, and the colours of code in light and in dark."""
    light = HtmlFormatter(style="friendly").get_style_defs(".ic-code pre")  # type: ignore[no-untyped-call]
    dark = HtmlFormatter(style="github-dark").get_style_defs(".dark .ic-code pre")  # type: ignore[no-untyped-call]
    return "\n".join(((ASSETS / "chat.css").read_text("utf-8"), light, dark))


HEAD = (
    '<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">'
)

# What `gr.mount_gradio_app` (or `launch`) takes beside the Blocks themselves.
MOUNT: dict[str, Any] = {"theme": THEME, "css": css(), "head": HEAD, "footer_links": []}
