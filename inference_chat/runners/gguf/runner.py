"""A GGUF file as one more text model: the options, streaming, stop and records of the others."""

from dataclasses import replace
from functools import cached_property
from typing import Any

from ..batching.slot import Shape
from ..checkpoint import Checkpoint
from ..grammar import Grammars
from ..prompt import PromptBuilder
from ..text import KEPT_WINDOWS, TextRunner
from .batch import SeatedBatch
from .library import Native
from .vocabulary import GgufGrammars, Vocabulary

LONGEST = 4096
"""Tokens of a window that memory is planned for, of longer ones as many."""


class GgufRunner(TextRunner):
    """One GGUF model."""

    @classmethod
    def estimate(cls, checkpoint: Checkpoint, bytes_per_element: int) -> int:
        """The file, a tenth for work space, and keys and values in sixteen bits."""
        size = checkpoint.file_size
        return size + size // 10 + KEPT_WINDOWS * checkpoint.cached_elements * 2

    def imports(self) -> None:
        """Its library looks for itself."""

    def _load(self) -> None:
        import torch

        cells = KEPT_WINDOWS * min(self.checkpoint.window, LONGEST)
        native = Native(
            self.checkpoint.files[0],
            self.name,
            cells=cells,
            threads=torch.get_num_threads(),
            gpu=self.placement.device != "cpu",
            exact=self._exact,
        )
        self._native = native
        self._tokenizer: Any = Vocabulary(native)
        self._window = min(self.checkpoint.window, cells)
        self._prompts = PromptBuilder(self._tokenizer, self._window, self.name)
        self._ends = self._tokenizer.ends
        self._engine = SeatedBatch(native, self._shape(), cells * self._shape().bytes_per_token)
        self.placement = replace(self.placement, dtype=str(self.checkpoint.config["format"]))

    @property
    def _exact(self) -> bool:
        return bool(self.checkpoint.config["format"] == "F32")

    @cached_property
    def _grammars(self) -> Grammars:
        return GgufGrammars(self._tokenizer, self._ends, self.name)

    def _shape(self) -> Shape:
        """What the model keeps of a token; about, where its layers differ."""
        import torch

        told = self.checkpoint.config
        width = told["head_dim"] or 1
        layers, heads = told["num_hidden_layers"], told["num_key_value_heads"]
        dtype = torch.float32 if self._exact else torch.float16
        return Shape(layers, heads or 1, width, width, dtype, torch.device("cpu"))

    def unload(self) -> None:
        self._native.close()
        del self._native, self._tokenizer, self._prompts, self._engine
