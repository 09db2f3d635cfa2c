"""What a start leaves for the next one, whole whenever it is killed: checkpoints, and the tokenizer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes the state beside the old one, then puts it in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def load(path: Path) -> dict[str, Any] | None:
    """The state last saved, or nothing."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def tokenizer(folder: Path, learn: Callable[[], PreTrainedTokenizerFast]) -> PreTrainedTokenizerFast:
    """The tokenizer that an earlier start left in the folder, or a new one, which is left there."""
    if (folder / "tokenizer.json").exists():
        kept: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
        return kept
    learnt, part = learn(), folder.with_suffix(".part")
    learnt.save_pretrained(part)
    os.replace(part, folder)
    return learnt
