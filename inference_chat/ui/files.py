"""Places for files that visitors drop, handed on as they are; who opens one says what is wrong with it."""

from typing import Any

import gradio as gr


def picture(label: str = "Picture", **more: Any) -> gr.Image:
    """A place for a picture: dropped, pasted, chosen or taken; its value is the path of the very file."""
    sources: list[Any] = ["upload", "clipboard", "webcam"]
    made: gr.Image = gr.Image(
        label=label, type="filepath", image_mode=None, sources=sources, height=300, format="png", **more
    )
    # Gradio's own would decode the file here, and fail with words of its own. (For a subclass it writes
    # a stub file beside the module.)
    setattr(made, "preprocess", _path)  # noqa: B010
    return made


def clip(label: str = "Clip", **more: Any) -> gr.Video:
    """A place for a clip: dropped, chosen or recorded; its value is the path of the very file."""
    sources: list[Any] = ["upload", "webcam"]
    made: gr.Video = gr.Video(label=label, sources=sources, height=300, **more)
    setattr(made, "preprocess", _path)  # noqa: B010
    return made


def sound(label: str = "Sound", **more: Any) -> gr.Audio:
    """A place for a sound: dropped, chosen or spoken; its value is the path of the very file."""
    sources: list[Any] = ["upload", "microphone"]
    made: gr.Audio = gr.Audio(label=label, sources=sources, type="filepath", **more)
    setattr(made, "preprocess", _path)  # noqa: B010
    return made


def _path(payload: Any) -> Any:
    """The path that Gradio has checked to be one of its uploads."""
    return payload.path if payload is not None else None
