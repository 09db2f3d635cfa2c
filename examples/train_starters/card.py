"""Model cards whose every figure comes from a measurement of the weights beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class StaleFigures(ValueError):
    """Figures that were not measured on these weights."""


def weights(folder: Path) -> list[Path]:
    """The files of weights: one, or a pipeline's in the order of their names."""
    return sorted(folder.rglob("*.safetensors"))


def digest(folder: Path) -> str:
    """The SHA-256 of the folder's weights, one file after another."""
    whole = hashlib.sha256()
    for file in weights(folder):
        whole.update(file.read_bytes())
    return whole.hexdigest()


def write_card(folder: Path, text: str, measured: Mapping[str, Any]) -> None:
    """Writes card and figures; refuses where the figures are of other weights."""
    if measured.get("sha256") != digest(folder):
        raise StaleFigures("these figures are not of the weights in this folder")
    (folder / "eval.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(text, encoding="utf-8")


def table(head: tuple[str, str], rows: Mapping[str, object]) -> str:
    """A Markdown table of two columns."""
    body = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join([f"| {head[0]} | {head[1]} |", "|---|---|", *body])
