"""How the page looks. `assets/tokens.css` has the design; Gradio's theme is given the same values.

A tab of Gradio's own components and one drawn by our scripts therefore cannot differ, in light or in dark.
"""

from pathlib import Path
from typing import Any

import gradio as gr
from pygments.formatters import HtmlFormatter

ASSETS = Path(__file__).parent / "assets"
SHEETS = (
    *("tokens.css", "page.css", "chat.css", "attach.css", "result.css", "compare.css", "figures.css"),
    "registry.css",
)
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
CODE_FONTS = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")

# Gradio's names → ours; each holds in light and in dark, because our value itself changes.
MEANT: dict[str, str] = {
    "body_background_fill": "var(--ic-ground)",
    "body_text_color": "var(--ic-text)",
    "body_text_color_subdued": "var(--ic-quiet)",
    "background_fill_primary": "var(--ic-surface)",
    "background_fill_secondary": "var(--ic-shade)",
    "border_color_primary": "var(--ic-edge)",
    "border_color_accent": "var(--ic-accent)",
    "border_color_accent_subdued": "var(--ic-edge)",
    "color_accent": "var(--ic-accent)",
    "color_accent_soft": "var(--ic-accent-soft)",
    "link_text_color": "var(--ic-accent)",
    "link_text_color_active": "var(--ic-accent)",
    "link_text_color_hover": "var(--ic-accent)",
    "link_text_color_visited": "var(--ic-accent)",
    "code_background_fill": "var(--ic-shade)",
    "block_background_fill": "var(--ic-surface)",
    "block_border_color": "var(--ic-edge)",
    "block_radius": "var(--ic-radius)",
    "block_label_background_fill": "var(--ic-surface)",
    "block_label_text_color": "var(--ic-quiet)",
    "block_title_text_color": "var(--ic-text)",
    "block_title_text_weight": "550",
    "block_info_text_color": "var(--ic-quiet)",
    "container_radius": "var(--ic-radius)",
    "panel_background_fill": "var(--ic-shade)",
    "accordion_text_color": "var(--ic-text)",
    "input_background_fill": "var(--ic-ground)",
    "input_border_color": "var(--ic-edge)",
    "input_border_color_focus": "var(--ic-accent)",
    "input_border_width": "1px",
    "input_placeholder_color": "var(--ic-quiet)",
    "input_radius": "var(--ic-radius-small)",
    "checkbox_background_color": "var(--ic-ground)",
    "checkbox_border_color": "var(--ic-edge)",
    "checkbox_border_color_hover": "var(--ic-accent)",
    "checkbox_background_color_selected": "var(--ic-fill)",
    "checkbox_border_color_selected": "var(--ic-fill)",
    "checkbox_border_color_focus": "var(--ic-accent)",
    "checkbox_label_background_fill": "var(--ic-surface)",
    "checkbox_label_background_fill_hover": "var(--ic-shade)",
    "checkbox_label_background_fill_selected": "var(--ic-accent-soft)",
    "checkbox_label_text_color": "var(--ic-text)",
    "checkbox_label_text_color_selected": "var(--ic-text)",
    "slider_color": "var(--ic-accent)",
    "loader_color": "var(--ic-accent)",
    "stat_background_fill": "var(--ic-accent)",
    "table_text_color": "var(--ic-text)",
    "table_border_color": "var(--ic-edge)",
    "table_even_background_fill": "var(--ic-surface)",
    "table_odd_background_fill": "var(--ic-surface)",
    "table_row_focus": "var(--ic-accent-soft)",
    "error_background_fill": "var(--ic-surface)",
    "error_border_color": "var(--ic-bad)",
    "error_text_color": "var(--ic-bad)",
    "error_icon_color": "var(--ic-bad)",
    "button_border_width": "1px",
    "button_large_radius": "var(--ic-radius-small)",
    "button_large_text_size": "15px",
    "button_medium_radius": "var(--ic-radius-small)",
    "button_small_radius": "var(--ic-radius-small)",
    "button_primary_background_fill": "var(--ic-fill)",
    "button_primary_background_fill_hover": "var(--ic-fill-hover)",
    "button_primary_border_color": "var(--ic-fill)",
    "button_primary_border_color_hover": "var(--ic-fill-hover)",
    "button_primary_text_color": "var(--ic-on-fill)",
    "button_secondary_background_fill": "var(--ic-surface)",
    "button_secondary_background_fill_hover": "var(--ic-shade)",
    "button_secondary_border_color": "var(--ic-edge)",
    "button_secondary_border_color_hover": "var(--ic-accent)",
    "button_secondary_text_color": "var(--ic-text)",
    "button_cancel_background_fill": "var(--ic-surface)",
    "button_cancel_background_fill_hover": "var(--ic-bad-soft)",
    "button_cancel_border_color": "var(--ic-bad)",
    "button_cancel_text_color": "var(--ic-bad)",
}


def theme() -> gr.themes.Base:
    """Gradio's theme, in our words."""
    made = gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_md,
        font=SYSTEM_FONTS,
        font_mono=CODE_FONTS,
    )
    dark = {f"{name}_dark": value for name, value in MEANT.items() if hasattr(made, f"{name}_dark")}
    return made.set(**MEANT, **dark)


def css() -> str:
    """Every style sheet, and the colours of code in light and in dark."""
    light = HtmlFormatter(style="friendly").get_style_defs(".ic-code pre")  # type: ignore[no-untyped-call]
    dark = HtmlFormatter(style="github-dark").get_style_defs(".dark .ic-code pre")  # type: ignore[no-untyped-call]
    return "\n".join((*((ASSETS / name).read_text("utf-8") for name in SHEETS), light, dark))


HEAD = (
    '<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">'
)

# What `gr.mount_gradio_app` (or `launch`) takes beside the Blocks themselves.
LOOK: dict[str, Any] = {"theme": theme(), "css": css(), "head": HEAD, "footer_links": []}
