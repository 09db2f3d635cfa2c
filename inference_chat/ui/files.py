"""Places for files that visitors drop, handed on as they are; who opens one says what is wrong with it."""

from abc import ABCMeta
from typing import Any, TypeVar

import gradio as gr

C = TypeVar("C")


def _path(self: object, payload: Any) -> Any:
    """The path that Gradio has checked to be one of its uploads."""
    return payload.path if payload is not None else None


def _as_sent(component: type[C]) -> type[C]:
    """The component without Gradio's own reading, which fails with words of its own.

    It must be a class: Gradio makes a new instance of it whenever it is updated, as by an example. Its
    metaclass is passed by, since it writes a stub file beside the module of each subclass.
    """
    how = {"preprocess": _path, "__module__": __name__}
    made: type[C] = ABCMeta.__new__(type(component), component.__name__, (component,), how)
    return made


Image = _as_sent(gr.Image)
Video = _as_sent(gr.Video)
Audio = _as_sent(gr.Audio)


def picture(label: str = "Picture", **more: Any) -> gr.Image:
    """A place for a picture: dropped, pasted, chosen or taken; its value is the path of the very file."""
    sources: list[Any] = ["upload", "clipboard", "webcam"]
    return Image(
        label=label, type="filepath", image_mode=None, sources=sources, height=300, format="png", **more
    )


def clip(label: str = "Clip", **more: Any) -> gr.Video:
    """A place for a clip: dropped, chosen or recorded; its value is the path of the very file."""
    sources: list[Any] = ["upload", "webcam"]
    return Video(label=label, sources=sources, height=300, **more)


def sound(label: str = "Sound", **more: Any) -> gr.Audio:
    """A place for a sound: dropped, chosen or spoken; its value is the path of the very file."""
    sources: list[Any] = ["upload", "microphone"]
    return Audio(label=label, sources=sources, type="filepath", **more)
