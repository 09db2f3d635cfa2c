"""Files that visitors drop, handed on as they are: what is wrong with one is said by those who open it."""

from typing import Any

import gradio as gr


class Picture(gr.Image):
    """An image whose value is the path of the very file that was sent, checked by Gradio to be one it keeps."""

    is_template = True  # for the browser it is its parent

    def preprocess(self, payload: Any) -> Any:
        """Its parent would decode the file here, and fail with words of its own."""
        return payload.path if payload is not None else None


def picture(label: str = "Picture", **more: Any) -> Picture:
    """A place for a picture: dropped, pasted, chosen or taken."""
    sources: list[Any] = ["upload", "clipboard", "webcam"]
    return Picture(label=label, type="filepath", image_mode=None, sources=sources, height=300, **more)
