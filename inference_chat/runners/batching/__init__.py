"""Many texts at once by one causal language model: continuous batching, and no text is read twice."""

from .batch import Batch
from .check import Unfit, opened

__all__ = ["Batch", "Unfit", "opened"]
