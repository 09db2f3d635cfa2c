"""Models that read pictures, sounds and clips beside text: the engine of chat with other inputs."""

import logging
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from inspect import signature
from threading import Event as Flag
from typing import Any, ClassVar

from pydantic import Field

from ..errors import InvalidRequest
from ..events import Event, Finished, Progress, TextDelta, Usage
from ..schema import Request
from ..tasks import Task
from .batching import Batch, Rows, Unfit, beginning, opened_half
from .checkpoint import Checkpoint
from .content import Senses, open_media
from .device import Placement
from .diffusion.pieces import Lane, Pieces, let_breathe
from .loading import explained, load_model
from .looked import remember
from .media_prompt import MediaPromptBuilder
from .prepared import PreparedSteps
from .processors import load_processor, prepares_clips
from .prompt import Prompt
from .text import TextOptions, TextRunner
from .writing import Begun

logger = logging.getLogger(__name__)
ASKS = {
    Task.VIDEO_TEXT_TO_TEXT: "Describe this clip.",
    Task.AUTOMATIC_SPEECH_RECOGNITION: "Write down what is said.",
}
ASK = "Describe this picture."
FRAMES = 8


class AboutOptions(TextOptions):
    """How an answer about pictures, sounds or clips is written."""

    temperature: float = Field(
        0.0, ge=0, le=2, description="0 always takes the likeliest token; higher is more varied."
    )
    frames: int = Field(FRAMES, ge=1, le=64, description="Frames of a clip that are looked at, at most.")


class MultimodalRunner(TextRunner):
    """One model that answers about pictures, sounds and clips, in a conversation or at once."""

    capabilities: ClassVar[tuple[str, ...]] = ("Chat", "Vision")
    _batch: Batch | None = None

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        super().__init__(checkpoint, placement)
        self._lane = Lane()

    def load(self) -> None:
        with explained(self.checkpoint, "a model for pictures and text"):
            self._load()

    def _load(self) -> None:
        self._processor: Any = load_processor(self.checkpoint)
        self._tokenizer: Any = self._processor.tokenizer
        self._model: Any = self._loaded()
        self._laid = self._rearranged()
        text = self._model.config.get_text_config(decoder=True)
        self._window = getattr(text, "max_position_embeddings", None) or self.checkpoint.window
        self._senses = senses_of(self._processor)
        self._prompts: MediaPromptBuilder = MediaPromptBuilder(
            self._processor, self._window, self.name, self._senses
        )
        self._ends = self._end_tokens()
        self._batch = self._opened_half()
        remember(self._model)
        let_breathe(self._model)

    def _loaded(self) -> Any:
        """The model, in memory."""
        import transformers

        model = load_model(transformers.AutoModelForMultimodalLM, self.checkpoint, self.placement)
        touch(model)
        return model

    def _opened_half(self) -> Batch | None:
        """What reads and writes many texts at once; None where each goes alone."""
        try:
            return opened_half(self._model, self._room)
        except Unfit as error:
            logger.info("%s writes one text at a time: %s.", self.name, error)
            return None

    def unload(self) -> None:
        if self._laid is not None:
            self._laid.drop()
        self._laid = self._batch = None
        del self._model, self._tokenizer, self._prompts, self._processor

    @property
    def _type(self) -> str:
        return str(self.checkpoint.config.get("model_type", ""))

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        assert isinstance(options, TextOptions)
        if not (request.media or request.messages) and request.task == Task.TEXT_GENERATION:
            yield from super().run(request, stop)
            return
        if request.task == Task.IMAGE_TO_TEXT and len(request.media) > 1 and not request.messages:
            if options.n > 1:
                raise InvalidRequest(
                    "n: give one picture for several answers, or ask for one answer to each."
                )
            each = (request.model_copy(update={"media": (one,)}) for one in request.media)
            yield from several([self.run(one, stop) for one in each])
            return
        frames = getattr(options, "frames", FRAMES)
        opened = yield from open_media(request, self._senses, frames, self.name)
        ask = ASKS.get(request.task, ASK)
        prompts = self._prompts.calling([tool.told for tool in options.tools if options.offered])
        prompt, seen = prompts.build_media(request, options.max_tokens, opened, frames, ask)
        notes = [note for clip in opened.values() for note in getattr(clip, "notes", ())]
        prompt = replace(prompt, notes=(*prompt.notes, *notes))
        del opened
        yield from seen
        yield from self._written(prompt, options, stop)

    def _steps(self, prompt: Prompt) -> PreparedSteps:
        return PreparedSteps(self._model, self._tensors(prompt), max_new_tokens=self._window)

    def _tensors(self, prompt: Prompt) -> dict[str, Any]:
        return moved(prompt.inputs or {"input_ids": self._tensor([prompt.ids])}, self._model)

    def _read(self, prompt: Prompt, stop: Flag) -> Generator[Event, None, Begun | int]:
        total = len(prompt.ids)
        reading = Progress(phase="reading", fraction=0.0, detail=f"{total:,} tokens")
        yield reading
        with Pieces(partial(self._prepared, prompt), self._lane, 0) as pieces:
            for _ in pieces:
                if stop.is_set():
                    return 0
                yield reading
        steps, rows = pieces.result
        if rows is not None:
            begun = yield from self._begun(rows, "batched", prompt, stop)
            return begun if isinstance(begun, int) else self._ruled(begun, steps)
        while steps.fraction < 1:
            if stop.is_set():
                return round(total * steps.fraction)
            steps.read()
            yield Progress(phase="reading", fraction=steps.fraction)
        begun = Begun(steps, steps.logits, (), 0, self._ends, self._decode, prompt.context)
        return self._ruled(begun, steps)

    def _prepared(self, prompt: Prompt) -> tuple[PreparedSteps, Rows | None]:
        """A prompt with its media encoded, and begun in the batch where it may stand beside others."""
        steps = self._steps(prompt)
        return steps, self._beside_others(steps)

    def _beside_others(self, steps: PreparedSteps) -> Rows | None:
        """A prompt begun in the batch; None where it has to go alone."""
        import torch

        if self._batch is None or type(steps) is not PreparedSteps:
            return None
        if not steps.has_media:
            return self._batch.begin(steps.said)
        model = self._model
        told = steps.told(model.get_decoder())
        with torch.no_grad():
            found = beginning(told, steps.said, model.get_input_embeddings())
        return None if found is None else self._batch.begin(*found)

    def _ruled(self, begun: Begun, steps: PreparedSteps) -> Begun:
        """With the rules and the ends of the model's own `generate`."""
        said = steps.said
        limit, ends = self._window - len(said), self._ends | steps.ends
        return replace(begun, said=said, limit=limit, ends=ends, rules=steps.rules)


def senses_of(processor: Any) -> Senses:
    """What a processor prepares besides text."""
    ears = getattr(processor, "feature_extractor", None) or getattr(processor, "audio_processor", None)
    return Senses(
        image=getattr(processor, "image_processor", None) is not None,
        video=prepares_clips(processor),
        rate=int(ears.sampling_rate) if ears is not None else None,
        hears=_hears(ears),
    )


def _hears(ears: Any) -> float | None:
    """Seconds of a sound that are prepared at once; of a longer one the rest would be left out."""
    told: float | None = getattr(ears, "chunk_length", None)
    if ears is None or told:
        return told
    longest = signature(ears.__call__).parameters.get("max_length")
    return longest.default / ears.sampling_rate if longest and longest.default else None


def moved(inputs: dict[str, Any], model: Any) -> dict[str, Any]:
    """Tensors on the model's device, numbers with a fraction in its format."""
    import torch

    def one(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.to(model.device, model.dtype if value.is_floating_point() else None)
        return [one(part) for part in value] if isinstance(value, list) else value

    return {name: one(value) for name, value in inputs.items() if value is not None}


def touch(model: Any) -> None:
    """Bring weights into memory, which are mapped from their file until they are first used."""
    for tensor in model.parameters():
        tensor.detach().view(-1)[::1024].sum()


def several(runs: list[Iterator[Event]], each: int = 1) -> Iterator[Event]:
    """Runs one after the other as one request: the answers of run i are choices i, or i … i + each − 1."""
    ends: list[Finished] = []
    for number, run in enumerate(runs):
        for event in run:
            if isinstance(event, Finished):
                ends.append(event)
            elif isinstance(event, TextDelta):
                yield event.model_copy(update={"choice": number * each + event.choice})
            else:
                yield event
    if not ends:
        raise InvalidRequest("There is no picture; send one.")
    yield ends[-1].model_copy(
        update={
            "finish_reasons": tuple(reason for end in ends for reason in end.finish_reasons),
            "usage": Usage(
                prompt_tokens=sum(end.usage.prompt_tokens for end in ends),
                completion_tokens=sum(end.usage.completion_tokens for end in ends),
            ),
            "notes": tuple(dict.fromkeys(note for end in ends for note in end.notes)),
        }
    )
