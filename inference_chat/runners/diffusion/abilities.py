"""What a diffusers folder can do, told from its model_index.json without importing anything heavy.

Which pipelines belong together (one set of weights draws, edits and repaints) is diffusers' own table of
its AutoPipelines, read from its source. A pipeline that is not in it is told by its parts and its name.
"""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ...errors import InvalidModel, UnsupportedTask
from ...tasks import Task

Way = Literal["draw", "edit", "repaint", "film", "animate"]

TABLES: dict[str, Way] = {
    "AUTO_TEXT2IMAGE_PIPELINES_MAPPING": "draw",
    "AUTO_IMAGE2IMAGE_PIPELINES_MAPPING": "edit",
    "AUTO_INPAINT_PIPELINES_MAPPING": "repaint",
    "AUTO_TEXT2VIDEO_PIPELINES_MAPPING": "film",
    "AUTO_IMAGE2VIDEO_PIPELINES_MAPPING": "animate",
}
TASKS: dict[Way, Task] = {
    "draw": Task.TEXT_TO_IMAGE,
    "edit": Task.IMAGE_TO_IMAGE,
    "repaint": Task.IMAGE_TO_IMAGE,
    "film": Task.TEXT_TO_VIDEO,
    "animate": Task.IMAGE_TO_VIDEO,
}
SHARED: dict[Way, tuple[Way, ...]] = {
    "draw": ("draw", "edit", "repaint"),
    "film": ("film", "animate"),
    "edit": ("edit",),
    "repaint": ("repaint",),
    "animate": ("animate",),
}
"""What else the weights of a pipeline are good for: those made for editing alone cannot draw."""
OTHER = (
    r"Control|Audio|Music|Sound|Vocoder|Prior|Video(2|To)Video|3D|Shap|Marigold|Decoder|Layered|Redux|Modular"
)
ANIMATES = r"Image(2|To)Video|StableVideoDiffusion|I2V"
EDITS = r"Img2Img|Upscal|SuperResolution|Pix2Pix|Edit|Kontext"
CLIPS = r"3D|Video|Motion|Temporal"


class Known(NamedTuple):
    """A row of diffusers' table: which class does what with one kind of weights."""

    model: str
    way: Way
    pipeline: str


def ways_of(index: dict[str, Any]) -> dict[Way, str]:
    """What a folder can do and the pipeline class for each, its own first.

    Raises `InvalidModel` when diffusers has no such pipeline, `UnsupportedTask` when it does none of ours.
    """
    name = str(index["_class_name"])
    if name not in _exported():
        raise InvalidModel(f"{name} is not known to the diffusers installed here; a newer one may know it.")
    own = None if re.search(OTHER, name) else _own_way(name, index)
    if own is None:
        raise UnsupportedTask(f"{name} is for none of the tasks that can be done here.")
    siblings = {known.way: known.pipeline for known in _table() if known.model in _models(name)}
    return {own: name} | {way: siblings[way] for way in SHARED[own] if way != own and way in siblings}


def tasks_of(index: dict[str, Any]) -> tuple[Task, ...]:
    """The tasks of a folder, its main one first."""
    return tuple(dict.fromkeys(TASKS[way] for way in ways_of(index)))


def repaints(index: dict[str, Any]) -> bool:
    """Whether a folder can draw the parts anew that a mask shows; raises as `ways_of` does."""
    return "repaint" in ways_of(index)


def _own_way(name: str, index: dict[str, Any]) -> Way | None:
    parts = {part: value for part, value in index.items() if isinstance(value, list) and len(value) == 2}
    kinds = " ".join(
        str(value[1]) for value in parts.values() if value[0] and "Tokenizer" not in str(value[1])
    )
    if listed := {known.way for known in _table() if known.pipeline == name}:
        return next(way for way in TASKS if way in listed)
    if re.search(ANIMATES, name):
        return "animate"
    if "Inpaint" in name:
        return "repaint"
    if re.search(EDITS, name):
        return "edit"
    if re.search(CLIPS, kinds):
        return "film"
    return "draw" if {"unet", "transformer"} & parts.keys() else None


def _models(name: str) -> set[str]:
    return {known.model for known in _table() if known.pipeline == name}


@lru_cache(maxsize=1)
def _table() -> tuple[Known, ...]:
    """diffusers' table, from its source: importing it takes seconds."""
    source = (_home() / "pipelines" / "auto_pipeline.py").read_text(encoding="utf-8")
    found: list[Known] = []
    for node in ast.parse(source).body:
        name = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(name, ast.Name) and name.id in TABLES:
            found += _rows(node.value, TABLES[name.id])
    return tuple(found)


def _rows(table: ast.expr, way: Way) -> Iterator[Known]:
    """The rows of `OrderedDict([("flux", FluxPipeline), …])`."""
    rows = table.args[0] if isinstance(table, ast.Call) else None
    for row in rows.elts if isinstance(rows, ast.List) else ():
        if isinstance(row, ast.Tuple):
            yield Known(ast.literal_eval(row.elts[0]), way, ast.unparse(row.elts[1]))


@lru_cache(maxsize=1)
def _exported() -> frozenset[str]:
    """Names of the classes that diffusers offers."""
    return frozenset(re.findall(r'"(\w+Pipeline)"', (_home() / "__init__.py").read_text(encoding="utf-8")))


def _home() -> Path:
    spec = find_spec("diffusers")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
