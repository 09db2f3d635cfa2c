"""Outlines of the shapes, as polygons around (0, 0) that reach a distance of 1."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

RING_HOLE = 0.52


def _around(corners: int, start: float = -90.0) -> Points:
    angles = np.radians(start + 360 / corners * np.arange(corners))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star() -> Points:
    points = _around(10)
    points[1::2] *= 0.42
    return points


def _heart() -> Points:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    points: Points = np.stack([x, y - (y.max() + y.min()) / 2], axis=1)
    points /= np.abs(points).max()
    return points


def _cross() -> Points:
    a, b = 0.33, 0.94
    corner = [
        (a, -b),
        (a, -a),
        (b, -a),
        (b, a),
        (a, a),
        (a, b),
        (-a, b),
        (-a, a),
        (-b, a),
        (-b, -a),
        (-a, -a),
    ]
    return np.array([*corner, (-a, -b)])


@cache
def outline(shape: str) -> Points:
    """A shape's outline [points, xy], y downwards; a ring's hole is a smaller circle of RING_HOLE."""
    match shape:
        case "circle" | "ring":
            return _around(56) * 0.94
        case "square":
            return _around(4, -45.0) * 1.12
        case "triangle":
            triangle: Points = (_around(3) + np.array([0.0, 0.22])) * 1.12
            return triangle
        case "star":
            return _star() * 1.08
        case "heart":
            return _heart()
        case "hexagon":
            return _around(6)
        case "cross":
            return _cross()
    raise ValueError(f"There is no shape {shape!r}.")


def placed(shape: str, x: float, y: float, radius: float, angle: float) -> Points:
    """The outline turned by `angle` degrees, of `radius`, around (x, y)."""
    turn = np.radians(angle)
    sine, cosine = np.sin(turn), np.cos(turn)
    placed: Points = outline(shape) @ (radius * np.array([[cosine, sine], [-sine, cosine]])) + (x, y)
    return placed
