"""Files that visitors drop, handed on as they are: what is wrong with one is said by those who open it."""

from typing import Any

import gradio as gr


class Picture(gr.Image):
    """A place for a picture: dropped, pasted, chosen or taken; its value is the path of the very file."""

    is_template = True

    def __init__(self, label: str = "Picture", **more: Any) -> None:
        sources: list[Any] = ["upload", "clipboard", "webcam"]
        settings = {"type": "filepath", "image_mode": None, "sources": sources, "height": 300} | more
        super().__init__(label=label, **settings)

    def preprocess(self, payload: Any) -> Any:
        """The path that Gradio has checked; its own would decode, and fail with words of its own."""
        return payload.path if payload is not None else None
