"""Many texts at once by one causal language model: continuous batching, and no text is read twice."""

from .batch import Batch
from .check import Unfit, opened, opened_half
from .given import beginning
from .rows import Rows
from .singles import ready

__all__ = ["Batch", "Rows", "Unfit", "beginning", "opened", "opened_half", "ready"]
