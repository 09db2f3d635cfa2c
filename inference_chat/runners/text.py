"""Text generation by any causal language model in Hugging Face layout."""

import inspect
from collections.abc import Generator, Iterator, Sequence
from threading import Event as Flag
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from ..errors import InvalidModel
from ..events import Event, Finished, Progress, Usage
from ..schema import Options, Request
from .base import Runner
from .checkpoint import Checkpoint
from .loading import explained, load_model, load_reader
from .prompt import Prompt, PromptBuilder
from .writing import Begun, Steps, write

PREFILL_CHUNK = 512
"""Prompt tokens read at once: others wait no longer, and a stop is seen in between."""

CACHES = ("past_key_values", "cache_params")
"""How architectures name what they keep of the tokens they have read."""

Stop = Annotated[str, Field(min_length=1, max_length=200)]


class TextOptions(Options):
    """How an answer is written."""

    max_tokens: int = Field(256, ge=1, le=32768, description="Longest answer, in tokens.")
    temperature: float = Field(
        0.7, ge=0, le=2, description="0 always takes the likeliest token; higher is more varied."
    )
    top_p: float = Field(
        0.95, gt=0, le=1, description="Draw from the likeliest tokens that together have this probability."
    )
    top_k: int = Field(0, ge=0, le=1000, description="Draw from this many likeliest tokens; 0 for all.")
    min_p: float = Field(
        0.0, ge=0, lt=1, description="Leave out tokens less likely than this share of the likeliest one's."
    )
    repetition_penalty: float = Field(
        1.0, ge=0.5, le=2, description="Above 1, tokens that stood before become less likely."
    )
    stop: tuple[Stop, ...] = Field(
        (), max_length=16, description="The answer ends before any of these texts."
    )
    seed: int | None = Field(
        None, ge=0, lt=2**63, description="The same seed gives the same answer; unset: a new one each time."
    )
    n: int = Field(1, ge=1, le=8, description="Answers written side by side.")
    logprobs: int | None = Field(
        None, ge=0, le=20, description="Report each token's log-probability and so many alternatives."
    )

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        """OpenAI's clients send a single stop text bare, or null for none."""
        if value is None:
            return ()
        return (value,) if isinstance(value, str) else value

    @property
    def repeatable(self) -> bool:
        return self.temperature == 0 or self.seed is not None


class TextRunner(Runner):
    """One causal language model."""

    capabilities: ClassVar[tuple[str, ...]] = ("Chat",)

    @classmethod
    def estimate(cls, checkpoint: Checkpoint, bytes_per_element: int) -> int:
        """Weights, a tenth for work space, and the keys and values of one full window."""
        weights = checkpoint.tensors.elements * bytes_per_element
        return weights + weights // 10 + checkpoint.cached_elements * bytes_per_element

    def load(self) -> None:
        with explained(self.checkpoint, "a causal language model"):
            self._load()

    def _load(self) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._tokenizer: Any = load_reader(AutoTokenizer, self.checkpoint)
        self._model: Any = load_model(AutoModelForCausalLM, self.checkpoint, self.placement)
        self._window = self.checkpoint.window
        self._prompts = PromptBuilder(self._tokenizer, self._window, self.name)
        self._ends = self._end_tokens()
        self._cache_name = self._find_cache_name()
        # Weights are mapped from the file and come into memory when they are first used: now.
        self._forward([[0]], self._new_cache())

    def unload(self) -> None:
        del self._model, self._tokenizer, self._prompts

    @property
    def name(self) -> str:
        return self.checkpoint.name

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        assert isinstance(options, TextOptions)
        yield from self._written(self._prompts.build(request, options.max_tokens), options, stop)

    def _written(self, prompt: Prompt, options: TextOptions, stop: Flag) -> Iterator[Event]:
        """The answers to a prompt; its reading is the first part of the work."""
        begun = yield from self._read(prompt, stop)
        if isinstance(begun, int):
            reasons = ("cancelled",) * options.n
            yield Finished(finish_reasons=reasons, usage=Usage(prompt_tokens=begun), notes=prompt.notes)
            return
        tokens = len(prompt.ids)
        yield from write(begun, options, stop, name=self.name, prompt_tokens=tokens, notes=prompt.notes)

    def _read(self, prompt: Prompt, stop: Flag) -> Generator[Event, None, Begun | int]:
        """Read a prompt piece by piece; how many tokens were read when it was stopped meanwhile."""
        total = len(prompt.ids)
        yield Progress(phase="reading", fraction=0.0, detail=f"{total:,} tokens")
        logits, cache = None, self._new_cache()
        size = total if _keeps_a_state(cache) else PREFILL_CHUNK
        for start in range(0, total, size):
            if stop.is_set():
                return start
            chunk = prompt.ids[start : start + size]
            logits = self._forward([chunk], cache)
            yield Progress(phase="reading", fraction=(start + len(chunk)) / total)
        return self._begun(prompt, _CachedSteps(self, cache), logits)

    def _begun(self, prompt: Prompt, steps: Steps, logits: Any) -> Begun:
        return Begun(
            steps,
            logits,
            said=prompt.ids,
            limit=self._window - len(prompt.ids),
            ends=self._ends,
            decode=self._decode,
            context=prompt.context,
        )

    def _forward(self, ids: list[list[int]], cache: Any) -> Any:
        """Logits (rows, vocabulary) of the last position, float32 on the CPU, for tokens (rows, length)."""
        import torch

        kept = {self._cache_name: cache}
        # The mode is entered for one step only: it belongs to the thread, and other requests step between.
        with torch.inference_mode():
            out = self._model(input_ids=self._tensor(ids), use_cache=True, logits_to_keep=1, **kept)
            return out.logits[:, -1].to(device="cpu", dtype=torch.float32)

    def _tensor(self, values: Sequence[Any]) -> Any:
        import torch

        return torch.tensor(values, dtype=torch.long, device=self.placement.device)

    def _new_cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self._model.config)

    def _decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without special ones."""
        return str(
            self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def _end_tokens(self) -> frozenset[int]:
        ends = self._model.generation_config.eos_token_id
        found = set(ends if isinstance(ends, list) else [ends])
        return frozenset(found | {self._tokenizer.eos_token_id}) - {None}

    def _find_cache_name(self) -> str:
        parameters = inspect.signature(self._model.forward).parameters
        for name in CACHES:
            if name in parameters:
                return name
        kind = self.checkpoint.config.get("model_type", "unknown")
        raise InvalidModel(
            f"{self.name} is of the type {kind!r}, which keeps nothing of what it has read; "
            "such models cannot be run here."
        )


class _CachedSteps:
    """Goes on from a cache."""

    def __init__(self, runner: TextRunner, cache: Any) -> None:
        self._runner = runner
        self._cache = cache

    def next(self, tokens: Sequence[int]) -> Any:
        return self._runner._forward([[token] for token in tokens], self._cache)

    def keep(self, rows: Sequence[int]) -> None:
        self._cache.reorder_cache(self._runner._tensor(rows))


def _keeps_a_state(cache: Any) -> bool:
    """Whether a model sums up what it has read: some such take a prompt in one piece only."""
    from transformers.cache_utils import LinearAttentionCacheLayerMixin

    return any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in cache.layers)
