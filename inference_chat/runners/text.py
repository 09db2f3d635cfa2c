"""Text generation by any causal language model in Hugging Face layout."""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from threading import Event as Flag
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from ..errors import InvalidRequest, UnsupportedTask
from ..events import Engine, Event, Finished, Progress, TextDelta, TokenLogprob, Usage
from ..schema import JSON, Options, Request
from .base import Runner
from .batching import Batch, Rows, Unfit, opened, ready
from .calls import Calls
from .checkpoint import Checkpoint
from .echo import echoed
from .grammar import Grammars, Guided, ResponseFormat
from .linears import LAID, ROUNDED, Laid, rearrange
from .loading import explained, load_model, load_reader
from .parking import mapped, park
from .prompt import Prompt, PromptBuilder
from .single import Single, SingleSteps
from .tools import NamedTool, Tool, ToolChoice, offered
from .writing import Begun, write

logger = logging.getLogger(__name__)
KEPT_WINDOWS = 4
"""Texts with a full window that memory is planned for: those in work, and those kept for a next turn."""
KEPT_LEAST = 64 << 20

PROGRAMS: JSON = {"x-programs": True}
"""Marks parameters that programs give: they have no control on the page."""

VOICED: JSON = {"x-voiced": True}
"""Marks parameters that only models with a voice of their own take."""

Stop = Annotated[str, Field(min_length=1, max_length=200)]


class TextOptions(Options):
    """How an answer is written."""

    max_tokens: int = Field(256, ge=0, le=32768, description="Longest answer, in tokens.")
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
    presence_penalty: float = Field(
        0.0,
        ge=-2,
        le=2,
        description="Above 0, tokens that the answer has already become less likely.",
        json_schema_extra=PROGRAMS,
    )
    frequency_penalty: float = Field(
        0.0, ge=-2, le=2, description="The same for each time that it has them.", json_schema_extra=PROGRAMS
    )
    stop: tuple[Stop, ...] = Field(
        (), max_length=16, description="The answer ends before any of these texts."
    )
    seed: int | None = Field(
        None, ge=0, lt=2**63, description="The same seed gives the same answer; unset: a new one each time."
    )
    speak: bool = Field(
        False,
        description="The answer is said aloud too, in the model's own voice.",
        json_schema_extra=VOICED,
    )
    voice: str | None = Field(
        None,
        max_length=100,
        description="Which of the model's voices, by name; unset: its first.",
        json_schema_extra=VOICED,
    )
    n: int = Field(1, ge=1, le=8, description="Answers written side by side.")
    logprobs: int | None = Field(
        None, ge=0, le=20, description="Report each token's log-probability and so many alternatives."
    )

    echo: bool = Field(
        False,
        description="The answer begins with the prompt, whose tokens have log-probabilities too.",
        json_schema_extra=PROGRAMS,
    )
    response_format: ResponseFormat | None = Field(
        None,
        description="Only JSON is written: any object, or what fits a schema.",
        json_schema_extra=PROGRAMS,
    )
    tools: tuple[Tool, ...] = Field(
        (), max_length=128, description="Functions that the model may call.", json_schema_extra=PROGRAMS
    )
    tool_choice: ToolChoice = Field("auto", json_schema_extra=PROGRAMS)
    parallel_tool_calls: bool = Field(
        True, description="Whether one answer may call several tools.", json_schema_extra=PROGRAMS
    )

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        """OpenAI's clients send a single stop text bare, or null for none."""
        if value is None:
            return ()
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        offered(self.tools, self.tool_choice)
        if self.speak and (self.n > 1 or self.echo):
            raise ValueError("speak: one answer is said, and no echo; leave out `n` and `echo`")
        if not self.max_tokens and not self.echo:
            raise ValueError("max_tokens: 0 writes nothing; it goes with `echo`")
        return self

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools that may be called; raises `ValueError` when none of them is the one to call."""
        return offered(self.tools, self.tool_choice)

    @property
    def repeatable(self) -> bool:
        return self.temperature == 0 or self.seed is not None


class TextRunner(Runner):
    """One causal language model."""

    capabilities: ClassVar[tuple[str, ...]] = ("Chat",)
    _laid: Laid | None = None

    @classmethod
    def estimate(cls, checkpoint: Checkpoint, bytes_per_element: int) -> int:
        """Weights, a tenth for work space, and the keys and values of texts."""
        weights = checkpoint.tensors.elements * bytes_per_element
        return weights + weights // 10 + KEPT_WINDOWS * checkpoint.cached_elements * bytes_per_element

    def imports(self) -> None:
        rounded = self.placement.quantization in ROUNDED
        if self.placement.device == "cpu" and (rounded or self.placement.dtype == "bfloat16"):
            ready()

    def load(self) -> None:
        with explained(self.checkpoint, "a causal language model"):
            self._load()

    def _load(self) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if self.placement.quantization in ROUNDED:
            self.placement = replace(self.placement, dtype="bfloat16")  # what their operators take
        self._tokenizer: Any = load_reader(AutoTokenizer, self.checkpoint)
        self._model: Any = load_model(AutoModelForCausalLM, self.checkpoint, self.placement)
        self._laid = self._rearranged()
        self._window = self.checkpoint.window
        self._prompts = PromptBuilder(self._tokenizer, self._window, self.name)
        self._ends = self._end_tokens()
        self._engine = self._opened()

    def _rearranged(self) -> Laid | None:
        """Lay out the weights for speed; None where they stay as they are."""
        quantization = self.placement.quantization
        if self.placement.dtype not in LAID.get(quantization, ()):
            return None
        files = self.checkpoint.files
        laid = rearrange(self._model, quantization, mapped(files), self._used)
        if laid is None:
            return None
        if quantization in ROUNDED:
            share = 100 * laid.error
            logger.info("%s has %s weights; a layer's mean error is %.2g %%.", self.name, quantization, share)
        if laid.again:
            park(files)  # what was packed will not be looked at again
        if quantization in ROUNDED:
            self.placement = replace(self.placement, dtype=quantization)
        return laid

    def _used(self) -> None:
        """Read one token, which uses every layer."""
        self._model(input_ids=self._tensor([[0]]), use_cache=False)

    def park(self, least: float) -> int:
        laid, files = self._laid, self.checkpoint.files
        if laid is None or not laid.again:
            return super().park(least)
        given = laid.bytes
        freed = park(files, least - given)
        if given + freed <= least:
            return 0
        laid.drop()
        return given + freed

    def wake(self) -> Iterator[None]:
        if self._laid is not None and self._laid.again:
            self._laid.wake()
            if self.placement.quantization in ROUNDED:  # their plain weights would answer otherwise
                yield from self._laid.make()

    def settle(self) -> Iterator[None]:
        if self._laid is not None and self._laid.again:
            yield from self._laid.make()
            park(self.checkpoint.files)  # the plain weights were looked at meanwhile

    def _opened(self) -> Batch | Single:
        """What reads and writes: many texts at once where the model can, else one at a time."""
        try:
            return opened(self._model, self._room)
        except Unfit as error:
            logger.info("%s writes one text at a time: %s.", self.name, error)
            single = Single(self._model, self.name)
        # Weights are mapped from the file and come into memory when they are first used: now.
        single.begin([0]).advance()
        return single

    @property
    def _room(self) -> int:
        """Bytes for texts that are kept."""
        room = KEPT_WINDOWS * self.checkpoint.cached_elements * int(self._model.dtype.itemsize)
        return max(KEPT_LEAST, room)

    def unload(self) -> None:
        if self._laid is not None:
            self._laid.drop()
        del self._model, self._tokenizer, self._prompts, self._engine, self._laid

    @property
    def name(self) -> str:
        return self.checkpoint.name

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        assert isinstance(options, TextOptions)
        prompts = self._prompts.calling([tool.told for tool in options.tools if options.offered])
        yield from self._written(prompts.build(request, options.max_tokens), options, stop)

    def _written(self, prompt: Prompt, options: TextOptions, stop: Flag) -> Iterator[Event]:
        """The answers to a prompt, with the tools they call."""
        calls = self._calls(options)
        guided = self._guided(options, calls)
        decode = partial(self._decode, keep=self._special(calls.marks)) if calls else None
        events = self._answers(prompt, options, stop, guided, decode)
        yield from calls.read(events) if calls else events

    def _answers(
        self,
        prompt: Prompt,
        options: TextOptions,
        stop: Flag,
        guided: Guided | None,
        decode: Callable[[Sequence[int]], str] | None,
    ) -> Iterator[Event]:
        """The answers to a prompt as text; its reading is the first part of the work."""
        if options.echo:
            yield from self._echoed(prompt, options, stop)
            if not options.max_tokens:
                reasons = ("length",) * options.n
                yield Finished(finish_reasons=reasons, usage=Usage(prompt_tokens=len(prompt.ids)))
                return
        begun = yield from self._read(prompt, stop)
        if isinstance(begun, int):
            reasons = ("cancelled",) * options.n
            yield Finished(finish_reasons=reasons, usage=Usage(prompt_tokens=begun), notes=prompt.notes)
            return
        tokens = len(prompt.ids)
        yield from write(
            replace(begun, decode=decode or begun.decode),
            options,
            stop,
            name=self.name,
            prompt_tokens=tokens,
            notes=prompt.notes,
            guided=guided,
        )

    def _echoed(self, prompt: Prompt, options: TextOptions, stop: Flag) -> Generator[Event, None, None]:
        """The prompt as the beginning of each answer; raises `InvalidRequest` where it is no plain text."""
        if not prompt.plain:
            raise InvalidRequest("echo: give a `prompt` that is gone on with; messages are answered.")
        text = prompt.text or self._decode(prompt.ids)
        tokens: tuple[TokenLogprob, ...] = ()
        if options.logprobs is not None:
            engine = getattr(self, "_engine", None)
            if engine is None:
                raise UnsupportedTask(f"{self.name} tells no log-probabilities of prompts; leave out `echo`.")
            tokens = yield from echoed(engine, prompt.ids, self._decode, options.logprobs, stop)
            text = "".join(token.text for token in tokens)
        yield from (TextDelta(text=text, choice=choice, tokens=tokens) for choice in range(options.n))

    def _calls(self, options: TextOptions) -> Calls | None:
        """The tools on offer; raises `UnsupportedTask` when this model knows none."""
        if not options.offered:
            return None
        forced = options.tool_choice != "auto"
        parallel = options.parallel_tool_calls and not isinstance(options.tool_choice, NamedTool)
        prompts: PromptBuilder | None = getattr(self, "_prompts", None)
        if prompts is None:
            raise UnsupportedTask(f"{self.name} knows no chat and no tools; choose a chat model.")
        return Calls(prompts.format, options.offered, forced=forced, parallel=parallel)

    def _guided(self, options: TextOptions, calls: Calls | None) -> Guided | None:
        """What keeps the answers to a format; raises `InvalidRequest` when this model cannot be kept so."""
        told = options.response_format
        grammar = told.grammar if told else None
        if calls:
            grammar = calls.grammar(self._grammars.literal, told.rule if told else None)
        return self._grammars.guided(grammar) if grammar else None

    def _special(self, marks: Sequence[str]) -> frozenset[int]:
        """Those of `marks` that are special tokens."""
        special = dict(zip(self._tokenizer.all_special_tokens, self._tokenizer.all_special_ids, strict=True))
        return frozenset(special[mark] for mark in marks if mark in special)

    @cached_property
    def _grammars(self) -> Grammars:
        return Grammars(self._tokenizer, self._ends, self.name)

    def _read(self, prompt: Prompt, stop: Flag) -> Generator[Event, None, Begun | int]:
        """Read a prompt piece by piece; how many tokens were read when it was stopped meanwhile."""
        first = Progress(phase="reading", fraction=0.0, detail=f"{len(prompt.ids):,} tokens")
        steps = self._engine.begin(prompt.ids)
        return (yield from self._begun(steps, self._engine.kind, prompt, stop, [first]))

    def _begun(
        self,
        steps: Rows | SingleSteps,
        engine: Engine,
        prompt: Prompt,
        stop: Flag,
        told: Sequence[Event] = (),
    ) -> Generator[Event, None, Begun | int]:
        """The same for a prompt that an engine has begun; what is to be `told` comes first."""
        total = len(prompt.ids)
        logits = None
        try:
            yield from told
            while logits is None:
                if stop.is_set():
                    read = steps.read - steps.reused
                    steps.close()
                    return read
                logits = steps.advance()
                yield Progress(phase="reading", fraction=steps.read / total)
        except BaseException:  # also when the run is given up
            steps.close()
            raise
        return Begun(
            steps,
            logits,
            said=prompt.ids,
            limit=self._window - total,
            ends=self._ends,
            decode=self._decode,
            context=prompt.context,
            engine=engine,
            reused=steps.reused,
        )

    def _tensor(self, values: Sequence[Any]) -> Any:
        import torch

        return torch.tensor(values, dtype=torch.long, device=self.placement.device)

    def _decode(self, ids: Sequence[int], keep: frozenset[int] = frozenset()) -> str:
        """The text of tokens, without special ones other than `keep`."""
        ids = list(ids)
        if found := keep.intersection(ids):
            left_out = set(self._tokenizer.all_special_ids) - found
            ids = [token for token in ids if token not in left_out]
        return str(
            self._tokenizer.decode(ids, skip_special_tokens=not found, clean_up_tokenization_spaces=False)
        )

    def _end_tokens(self) -> frozenset[int]:
        ends = self._model.generation_config.eos_token_id
        found = set(ends if isinstance(ends, list) else [ends])
        return frozenset(found | {self._tokenizer.eos_token_id}) - {None}
