"""Omni models that answer aloud: the words are written as in any chat, then said in the model's own voice."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import Event as Flag
from typing import Any

from ..errors import InvalidRequest, UnsupportedTask
from ..events import AudioReady, Event, File, Finished, Progress
from ..media import Sound, wav_bytes
from ..registry.senses import VOICE
from .aloud import RATE, Remembering, fitted, say, with_voice
from .checkpoint import Checkpoint
from .device import Placement
from .diffusion.pieces import Pieces
from .loading import load_model
from .multimodal import MultimodalRunner, touch
from .prepared import PreparedSteps
from .prompt import Prompt
from .text import TextOptions

VOICE_PARTS = ("talker", "token2wav", "code2wav")
"""How the parts that speak are called in the files: one for codes of sound, one from codes to the wave."""
IN_FLOAT = "token2wav"
"""Computed in float32, whatever the format of the others."""
SAYING = Progress(phase="working", detail="saying the answer")
SILENT = "The model said nothing aloud to this answer."

CUT = "The voice was cut off: so much of it is made for an answer of this length, and no more."


@dataclass(frozen=True)
class Aloud(Prompt):
    """A prompt whose answer will be said; what is remembered of its writing is put into `steps`."""

    steps: list[Remembering] = field(default_factory=list)


class OmniRunner(MultimodalRunner):
    """A model of several: one reads and writes, and, where the files have them, two more speak."""

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        super().__init__(checkpoint, placement)
        self._whole: Any = None
        self._voices: dict[str, str] = {}

    @classmethod
    def abilities(cls, checkpoint: Checkpoint) -> tuple[str, ...]:
        return (*cls.capabilities, VOICE) if has_voice(checkpoint) else cls.capabilities

    @classmethod
    def estimate(cls, checkpoint: Checkpoint, bytes_per_element: int) -> int:
        """As of any text model, with the part that is always in float32."""
        wide = checkpoint.tensors.parts.get(IN_FLOAT, 0) if has_voice(checkpoint) else 0
        return super().estimate(checkpoint, bytes_per_element) + wide * (4 - bytes_per_element)

    def _loaded(self) -> Any:
        import transformers

        name = self.checkpoint.architecture
        if not has_voice(self.checkpoint):
            alone = getattr(transformers, name.replace("ForConditional", "ThinkerForConditional"))
            model = load_model(alone, self.checkpoint, self.placement)
            touch(model)
            return model
        self._whole = load_model(with_voice(getattr(transformers, name)), self.checkpoint, self.placement)
        touch(self._whole)
        self._voices = fitted(self._whole, self.checkpoint.folder)
        thinker = self._whole.thinker
        thinker.generation_config = self._whole.generation_config
        return thinker

    def unload(self) -> None:
        super().unload()
        self._whole = None

    @property
    def speaks(self) -> bool:  # type: ignore[override]
        return self._whole is not None

    def _steps(self, prompt: Prompt) -> PreparedSteps:
        if not isinstance(prompt, Aloud):
            return super()._steps(prompt)
        inputs = self._tensors(prompt)
        prompt.steps.append(Remembering(self._whole, inputs, max_new_tokens=self._window))
        return prompt.steps[0]

    def _written(self, prompt: Prompt, options: TextOptions, stop: Flag) -> Iterator[Event]:
        if not options.speak:
            yield from super()._written(prompt, options, stop)
            return
        voice = self._voice(options)
        if prompt.plain:
            raise InvalidRequest("speak: give `messages` that are answered; a `prompt` is gone on with.")
        aloud = Aloud(**vars(prompt))
        for event in super()._written(aloud, options, stop):
            if isinstance(event, Finished):
                yield from self._said(aloud, event, voice, options.seed or 0, stop)
            else:
                yield event

    def _voice(self, options: TextOptions) -> str:
        """The voice that was asked for; raises `InvalidRequest` for one that the model does not have."""
        if not self._voices:
            raise UnsupportedTask(
                f"{self.name} has no voices: spk_dict.pt is missing from its folder. Add that file and load "
                "it again, or have the answer read aloud by a text-to-speech model."
            )
        wanted = (options.voice or next(iter(self._voices))).casefold()
        if wanted not in self._voices:
            raise InvalidRequest(f"voice: {self.name} has {', '.join(self._voices.values())}.")
        return self._voices[wanted]

    def _said(
        self, aloud: Aloud, end: Finished, voice: str, seed: int, stop: Flag
    ) -> Generator[Event, None, None]:
        """What was written, as a sound, then its end."""
        steps = aloud.steps[0] if aloud.steps else None
        if end.finish_reason in ("cancelled", "tool_calls") or steps is None:
            yield end
            return
        if not steps.has_words:
            yield _noted(end, SILENT)
            return
        ends = sorted(self._ends | steps.ends)
        with Pieces(partial(say, self._whole, steps, voice, ends), self._lane, seed) as pieces:
            for _ in pieces:
                if stop.is_set():
                    yield end.model_copy(update={"finish_reasons": ("cancelled",)})
                    return
                yield SAYING
        said = pieces.result
        if said is None:
            yield _noted(end, SILENT)
            return
        sound = Sound(said.wave[:, None], RATE)
        yield AudioReady(audio=File(data=wav_bytes(sound), media_type="audio/wav"), rate=RATE)
        yield _noted(end, CUT) if said.cut else end


def _noted(end: Finished, note: str) -> Finished:
    return end.model_copy(update={"notes": (*end.notes, note)})


def has_voice(checkpoint: Checkpoint) -> bool:
    """Whether the files have what speaks, and the config lets it."""
    config, parts = checkpoint.config, checkpoint.tensors.parts
    told = bool(config.get("talker_config")) and config.get("enable_audio_output", True) is not False
    return told and (not parts or "talker" in parts)
