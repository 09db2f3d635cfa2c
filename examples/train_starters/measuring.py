"""Figures that every card has: the weights' digest, their size, and how long one answer takes."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers

from examples.train_starters.card import digest, weights


def weights_facts(folder: Path, model: torch.nn.Module) -> dict[str, Any]:
    """Digest, parameters, megabytes on disk and the machine that measures."""
    return {
        "sha256": digest(folder),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "megabytes": round(sum(file.stat().st_size for file in weights(folder)) / 1e6, 2),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}, "
        f"transformers {transformers.__version__}",
    }


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread in between: on a busy machine a small model's second thread waits longer for its
    turn than it computes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def latency(answer: Callable[[], object], times: int = 15) -> float:
    """The median milliseconds of one answer, after one to warm up."""
    answer()
    taken = []
    for _ in range(times):
        since = time.perf_counter()
        answer()
        taken.append(time.perf_counter() - since)
    return round(1000 * statistics.median(taken), 1)


def facts(measured: Mapping[str, Any], time_of: str) -> dict[str, str]:
    """The rows of a card's table of facts; `time_of` says what its milliseconds are the time of."""
    training = measured["training"]
    return {
        "Parameters": f"{measured['parameters']:,}",
        "Weights": f"{measured['megabytes']} MB, fp16",
        time_of: f"{measured['milliseconds']} ms, fp32 ({measured['machine']})",
        "Training": f"{training['minutes']} min, {training['threads']} thread(s), {training['device']}; "
        f"{training['steps']:,} steps, seed {training['seed']}",
    }
