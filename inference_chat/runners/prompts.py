"""Points and boxes that show a model which object is meant."""

import json
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from ..errors import InvalidRequest
from ..schema import Options

MOST = 64


def _parsed(value: Any) -> Any:
    """A list as text, or one item bare: `[10, 20]` for `[[10, 20]]`."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else ()
        except ValueError:
            raise ValueError("write a list of numbers, as [[10, 20]]") from None
    if value is None:
        return ()
    bare = isinstance(value, list | tuple) and value and isinstance(value[0], int | float)
    return (value,) if bare else value


Point = tuple[float, float]
Corners = tuple[float, float, float, float]


class ShownOptions(Options):
    """Which object is meant, shown in the picture."""

    points: Annotated[tuple[Point, ...], BeforeValidator(_parsed)] = Field(
        (), max_length=MOST, description="Points [x, y] in pixels, all of one object."
    )
    point_labels: tuple[int, ...] = Field(
        (), max_length=MOST, description="For each point 1, on the object, or 0, beside it; unset: all on it."
    )
    boxes: Annotated[tuple[Corners, ...], BeforeValidator(_parsed)] = Field(
        (), max_length=MOST, description="Boxes [xmin, ymin, xmax, ymax] in pixels, each around one object."
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.point_labels and len(self.point_labels) != len(self.points):
            raise ValueError("point_labels: give one for each of `points`")
        if not set(self.point_labels) <= {0, 1}:
            raise ValueError("point_labels: 1 for a point on the object, 0 for one beside it")
        if self.points and len(self.boxes) > 1:
            raise ValueError("give `points` with at most one box: they are of one object")
        if any(box[0] >= box[2] or box[1] >= box[3] for box in self.boxes):
            raise ValueError("boxes: give [xmin, ymin, xmax, ymax], the upper left corner first")
        return self

    def check(self, width: int, height: int) -> None:
        """Raises `InvalidRequest` when something lies outside of a picture of that size."""
        corners = [(box[at], box[at + 1]) for box in self.boxes for at in (0, 2)]
        for x, y in (*self.points, *corners):
            if not (0 <= x <= width and 0 <= y <= height):
                raise InvalidRequest(
                    f"points, boxes: ({x:g}, {y:g}) lies outside of the picture of {width} × {height} pixels."
                )

    def scaled(self, across: float, down: float) -> "ShownOptions":
        """The same in a picture so many times as wide and high."""
        return ShownOptions(
            points=tuple((x * across, y * down) for x, y in self.points),
            point_labels=self.point_labels,
            boxes=tuple((a * across, b * down, c * across, d * down) for a, b, c, d in self.boxes),
        )


class MaskOptions(ShownOptions):
    """Which object is meant; where nothing is said, all that can be told apart."""

    alternatives: bool = Field(False, description="Tell all masks that are considered, not only the best.")
    threshold: float = Field(0.0, ge=0, le=1, description="Masks at least this sure.")
    points_per_side: int = Field(
        16, ge=1, le=64, description="Without points and boxes: the grid of points that is tried."
    )
