"""Drawing, editing and filming by the pipelines of diffusers."""

from .abilities import repaints, tasks_of
from .options import ClipOptions, EditOptions, PictureOptions
from .runner import DiffusionRunner

__all__ = ["ClipOptions", "DiffusionRunner", "EditOptions", "PictureOptions", "repaints", "tasks_of"]
