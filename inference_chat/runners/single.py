"""One text at a time, step by step from a cache: for models that cannot be read in a batch with others."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import InvalidModel
from ..events import Engine
from .writing import AtOnce

CACHES = ("past_key_values", "cache_params")
"""How architectures name what they keep of the tokens they have read."""
PREFILL_CHUNK = 512
"""Prompt tokens read at once: others wait no longer, and a stop is seen in between."""


class Single:
    """A causal language model that reads and writes one text at a time."""

    kind: Engine = "single"

    def __init__(self, model: Any, name: str) -> None:
        """Raises `InvalidModel` for a model that keeps nothing of what it has read."""
        self._model = model
        self._cache_name = _cache_name(model, name)

    def begin(self, ids: Sequence[int]) -> "SingleSteps":
        return SingleSteps(self, ids)

    def forward(self, ids: Sequence[Sequence[int]], cache: Any) -> Any:
        """Logits (rows, vocabulary) of the last position, float32 on the CPU, for tokens (rows, length)."""
        import torch

        kept = {self._cache_name: cache}
        # The mode is entered for one step only: it belongs to the thread, and other requests step between.
        with torch.inference_mode():
            tokens = torch.tensor(ids, dtype=torch.long, device=self._model.device)
            out = self._model(input_ids=tokens, use_cache=True, logits_to_keep=1, **kept)
            return out.logits[:, -1].to(device="cpu", dtype=torch.float32)

    @property
    def vocabulary(self) -> int:
        """How many tokens the model knows."""
        return int(self._model.get_input_embeddings().num_embeddings)

    def every(self, ids: Sequence[int], size: int) -> Iterator[Any]:
        """Logits (tokens, vocabulary) of what follows each token, float32 on the CPU, `size` at a time."""
        import torch

        cache = self.new_cache()
        size = len(ids) if _keeps_a_state(cache) else size
        for start in range(0, len(ids), size):
            with torch.inference_mode():
                tokens = torch.tensor([ids[start : start + size]], device=self._model.device)
                out = self._model(input_ids=tokens, use_cache=True, **{self._cache_name: cache})
                logits = out.logits[0].to(device="cpu", dtype=torch.float32)
            yield logits

    def new_cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self._model.config)


class SingleSteps(AtOnce):
    """One prompt, then the answers to it."""

    reused = 0

    def __init__(self, engine: Single, ids: Sequence[int]) -> None:
        self._engine = engine
        self._ids = ids
        self._cache = engine.new_cache()
        self._size = len(ids) if _keeps_a_state(self._cache) else PREFILL_CHUNK
        self.read = 0

    def advance(self) -> Any:
        """Read a piece of the prompt; the logits of what follows it once all of it has been read."""
        chunk = self._ids[self.read : self.read + self._size]
        logits = self._engine.forward([chunk], self._cache)
        self.read += len(chunk)
        return logits if self.read == len(self._ids) else None

    def next(self, tokens: Sequence[int]) -> Any:
        return self._engine.forward([[token] for token in tokens], self._cache)

    def keep(self, rows: Sequence[int]) -> None:
        import torch

        self._cache.reorder_cache(torch.tensor(rows, device=self._engine._model.device))


def _cache_name(model: Any, name: str) -> str:
    parameters = inspect.signature(model.forward).parameters
    for found in CACHES:
        if found in parameters:
            return found
    kind = model.config.model_type
    raise InvalidModel(
        f"{name} is of the type {kind!r}, which keeps nothing of what it has read; "
        "such models cannot be run here."
    )


def _keeps_a_state(cache: Any) -> bool:
    """Whether a model sums up what it has read: some such take a prompt in one piece only."""
    from transformers.cache_utils import LinearAttentionCacheLayerMixin

    return any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in cache.layers)
