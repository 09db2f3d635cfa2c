"""Where a model runs and in which number format; how much memory the process has; giving it back."""

import ctypes
import gc
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import psutil

from ..errors import ModelFailed
from ..settings import Settings
from .checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch

LOADERS = ("transformers.modeling_utils", "transformers.models.auto.tokenization_auto")
"""Modules of transformers that take a second or two to import, which no request should wait for."""

SMALL_MODEL = 50_000_000
"""Parameters below which a CPU is not limited by reading weights, so float32 costs nothing."""


@dataclass(frozen=True)
class Placement:
    """A device and a number format, by their torch names."""

    device: str
    dtype: str
    quantization: str = "none"
    """How weights of language models are laid out, as `rearrange` of `linears.py` knows it."""

    @property
    def bytes_per_element(self) -> int:
        return {"float32": 4, "int8": 1, "int4": 1}.get(self.dtype, 2)


def place(settings: Settings, checkpoint: Checkpoint) -> Placement:
    """Choose device and dtype; imports torch unless the settings say `cpu`.

    Raises `ModelFailed` when the settings name a device that is not there.
    """
    device = settings.device if settings.device == "cpu" else _found_device(settings.device)
    quantization = settings.quantization if device == "cpu" else "none"
    return Placement(device, _format(settings, checkpoint, device), quantization)


def _format(settings: Settings, checkpoint: Checkpoint, device: str) -> str:
    """The number format of the weights."""
    if settings.dtype != "auto":
        return settings.dtype
    if device == "cpu":
        return cpu_format(checkpoint)
    return "float16" if device == "mps" else "bfloat16"


def cpu_format(checkpoint: Checkpoint) -> str:
    """The number format that a model has on a CPU, where the settings leave it open."""
    small = checkpoint.tensors.elements < SMALL_MODEL
    return "bfloat16" if "BF16" in checkpoint.tensors.dtypes and not small else "float32"


def prepare(threads: int) -> None:
    """Import what loading needs on the calling thread, and set how many cores torch uses."""
    import torch

    torch.set_num_threads(threads)
    for module in LOADERS:
        import_module(module)


def torch_dtype(name: str) -> "torch.dtype":
    import torch

    dtype = getattr(torch, name)
    assert isinstance(dtype, torch.dtype)
    return dtype


def memory_used() -> int:
    """Bytes of memory of this process: resident, plus what torch holds on an accelerator."""
    used: int = psutil.Process().memory_info().rss
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        used += torch.cuda.memory_allocated()
    return used


def memory_free() -> int:
    """Bytes that this machine can still give."""
    free: int = psutil.virtual_memory().available
    return free


def give_back() -> None:
    """Return freed memory to the operating system, which Python and glibc else keep for later."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _found_device(wanted: str) -> str:
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in found.items() if there)
    if not found[wanted]:
        raise ModelFailed(f"DEVICE={wanted} is set and torch finds no such device here; set DEVICE=auto.")
    return wanted
