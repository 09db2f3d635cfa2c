"""A script that the page runs before Gradio's own.

What Gradio takes as `head` comes too late: by then its scripts have taken the browser's functions.
"""

from collections.abc import Callable
from pathlib import Path

import jinja2
from gradio import routes

SCRIPT = Path(__file__).parent / "assets" / "calm.js"
START = "<head>"


class Early(jinja2.BaseLoader):
    """Gradio's templates, with `script` as the first thing in the head of a page."""

    def __init__(self, gradios: jinja2.BaseLoader, script: str) -> None:
        self.gradios = gradios
        self.script = script

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """The template's source, where it is kept, and whether that is still so."""
        source, place, current = self.gradios.get_source(environment, template)
        told = f"{START}<script>{{% raw %}}{self.script}{{% endraw %}}</script>"
        return source.replace(START, told, 1), place, current


def calm() -> None:
    """Have every page of Gradio's begin with the script; once is enough."""
    templates = routes.templates.env
    if templates.loader is not None and not isinstance(templates.loader, Early):
        templates.loader = Early(templates.loader, SCRIPT.read_text("utf-8"))
