"""Text generation by any causal language model in Hugging Face layout."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from ..errors import InvalidModel, UnsafeModel
from ..schema import (
    Event,
    Finished,
    FinishReason,
    Options,
    Progress,
    Receipt,
    Request,
    TextDelta,
    TokenLogprob,
    Usage,
)
from .base import Runner
from .checkpoint import Checkpoint
from .detokenize import Detokenizer, StopStrings
from .device import torch_dtype
from .prompt import Prompt, PromptBuilder
from .sampling import Sampler, logprobs

PREFILL_CHUNK = 512
"""Prompt tokens read at once: others wait no longer, and a stop is seen in between."""

DEFAULT_WINDOW = 2048

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

    options: ClassVar[type[Options]] = TextOptions
    capabilities: ClassVar[tuple[str, ...]] = ("TextGeneration", "Chat")

    @classmethod
    def estimate(cls, checkpoint: Checkpoint, bytes_per_element: int) -> int:
        """Weights, a tenth for work space, and the keys and values of one full window."""
        weights = checkpoint.tensors.elements * bytes_per_element
        return weights + weights // 10 + _cache_bytes(checkpoint.config, bytes_per_element)

    def load(self) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        how: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
        folder = str(self.checkpoint.folder)
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **how)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch_dtype(self.placement.dtype),
                use_safetensors=True,
                output_loading_info=True,
                **how,
            )
        except Exception as error:  # transformers raises whatever its readers raise
            raise self._refusal(error) from error
        model, info = loaded
        if missing := sorted(info["missing_keys"]):
            raise InvalidModel(
                f"{self.name} lacks {len(missing)} tensors that its architecture needs, first {missing[0]}."
            )
        self._model: Any = model.to(self.placement.device).eval()
        self._window = window(self.checkpoint.config)
        self._prompts = PromptBuilder(self._tokenizer, self._window, self.name)
        self._ends = self._end_tokens()

    def unload(self) -> None:
        del self._model, self._tokenizer, self._prompts

    @property
    def name(self) -> str:
        return self.checkpoint.folder.name

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        assert isinstance(options, TextOptions)
        prompt = self._prompts.build(request, options.max_tokens)
        yield Progress(phase="reading", fraction=0.0, detail=f"{len(prompt.ids):,} tokens")
        logits, cache = None, self._new_cache()
        for start in range(0, len(prompt.ids), PREFILL_CHUNK):
            if stop.is_set():
                yield Finished(finish_reasons=("cancelled",) * options.n, notes=prompt.notes)
                return
            chunk = prompt.ids[start : start + PREFILL_CHUNK]
            logits = self._forward([chunk], cache)
            yield Progress(phase="reading", fraction=(start + len(chunk)) / len(prompt.ids))
        yield from self._answer(prompt, options, logits, cache, stop)

    def _answer(
        self, prompt: Prompt, options: TextOptions, logits: Any, cache: Any, stop: Flag
    ) -> Iterator[Event]:
        """Write all `n` answers, one row of a batch each; a finished row leaves the batch."""
        if options.n > 1:
            cache.batch_repeat_interleave(options.n)
            logits = logits.repeat(options.n, 1)
        seed = options.seed if options.seed is not None else secrets.randbits(31)
        sampler = Sampler(options, prompt.ids, seed, options.n)
        limit = min(options.max_tokens, self._window - len(prompt.ids))
        answers = [_Answer(self, options, prompt.context, row, limit) for row in range(options.n)]
        alive = answers
        while alive and not stop.is_set():
            tokens = sampler.choose(logits, [answer.row for answer in alive])
            for i, (answer, token) in enumerate(zip(alive, tokens, strict=True)):
                if delta := answer.push(token, logits[i]):
                    yield delta
            going = [i for i, answer in enumerate(alive) if answer.reason is None]
            if len(going) < len(alive):
                alive = [alive[i] for i in going]
                if not alive:
                    break
                cache.batch_select_indices(self._tensor(going))
            logits = self._forward([[answer.last] for answer in alive], cache)
        for answer in answers:
            if rest := answer.close():
                yield rest
        yield Finished(
            finish_reasons=tuple(answer.reason or "cancelled" for answer in answers),
            usage=Usage(
                prompt_tokens=len(prompt.ids), completion_tokens=sum(answer.count for answer in answers)
            ),
            notes=prompt.notes,
            receipt=Receipt(model=self.name, seed=seed),
        )

    def _forward(self, ids: list[list[int]], cache: Any) -> Any:
        """Logits (rows, vocabulary) of the last position, float32 on the CPU, for tokens (rows, length)."""
        import torch

        # The mode is entered for one step only: it belongs to the thread, and other requests step between.
        with torch.inference_mode():
            out = self._model(
                input_ids=self._tensor(ids), past_key_values=cache, use_cache=True, logits_to_keep=1
            )
            return out.logits[:, -1].to(device="cpu", dtype=torch.float32)

    def _tensor(self, values: Sequence[Any]) -> Any:
        import torch

        return torch.tensor(values, dtype=torch.long, device=self.placement.device)

    def _new_cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self._model.config)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without special ones."""
        return str(
            self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def is_end(self, token: int) -> bool:
        return token in self._ends

    def _end_tokens(self) -> frozenset[int]:
        ends = self._model.generation_config.eos_token_id
        found = set(ends if isinstance(ends, list) else [ends])
        return frozenset(found | {self._tokenizer.eos_token_id}) - {None}

    def _refusal(self, error: Exception) -> Exception:
        """What to tell about an error of transformers' loaders, which may name paths of this machine."""
        text = str(error)
        if "trust_remote_code" in text or "auto_map" in self.checkpoint.config:
            return UnsafeModel(f"{self.name} needs code of its own to run, which is never executed here.")
        kind = self.checkpoint.config.get("model_type")
        if (
            isinstance(error, ValueError | KeyError) and "model_type" in text
        ) or "does not recognize" in text:
            return InvalidModel(f"{self.name} is of the type {kind!r}, which this version does not know.")
        return InvalidModel(
            f"{self.name} cannot be loaded as a causal language model of the type {kind!r}: "
            f"{text.replace(str(self.checkpoint.folder), self.name).split(chr(10))[0][:200]}"
        )


@dataclass
class _Answer:
    """One of the answers being written."""

    runner: TextRunner
    options: TextOptions
    context: Sequence[int]
    row: int
    limit: int
    count: int = 0
    last: int = -1
    previous: int | None = None
    reason: FinishReason | None = None
    _pending: list[TokenLogprob] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._text = Detokenizer(self.runner.decode, self.context)
        self.previous = self.context[-1] if self.context else None
        self._stops = StopStrings(self.options.stop)

    def push(self, token: int, logits: Any) -> TextDelta | None:
        """Take the next token; the text it completes, if any."""
        self.count += 1
        self.last = token
        if self.runner.is_end(token):
            self.reason = "stop"
            return None
        if self.options.logprobs is not None:
            self._pending.append(logprobs(logits, token, self.options.logprobs, self._piece))
        self.previous = token
        piece = self._stops.push(self._text.push(token))
        if self._stops.hit:
            self.reason = "stop"
        elif self.count >= self.limit:
            self.reason = "length"
        return self._delta(piece)

    def close(self) -> TextDelta | None:
        """What was held back at the end."""
        if self._stops.hit:
            return self._delta("")
        return self._delta(self._stops.push(self._text.flush()) + self._stops.flush())

    def _piece(self, token: int) -> str:
        """The text of one token where it stands, with the space that its neighbour gives it."""
        before = [] if self.previous is None else [self.previous]
        return self.runner.decode([*before, token])[len(self.runner.decode(before)) :]

    def _delta(self, text: str) -> TextDelta | None:
        if not text and not (self._pending and self.reason):
            return None
        tokens, self._pending = tuple(self._pending), []
        return TextDelta(text=text, choice=self.row, tokens=tokens)


def window(config: dict[str, Any]) -> int:
    """Tokens the model can attend to, prompt and answer together."""
    for part in (config, config.get("text_config") or {}):
        for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
            if isinstance(part.get(name), int) and part[name] > 1:
                return int(part[name])
    return DEFAULT_WINDOW


def _cache_bytes(config: dict[str, Any], bytes_per_element: int) -> int:
    """Bytes of keys and values for up to 4,096 tokens; 0 where the config does not say."""
    layers = config.get("num_hidden_layers") or config.get("n_layer") or 0
    heads = config.get("num_attention_heads") or config.get("n_head") or 1
    hidden = config.get("hidden_size") or config.get("n_embd") or 0
    width = (config.get("head_dim") or hidden // heads) * (config.get("num_key_value_heads") or heads)
    return int(2 * layers * width * bytes_per_element * min(window(config), 4096))
