"""What a sound is: classes that a model knows, classes named in the request, embeddings."""

from abc import abstractmethod
from collections.abc import Iterator
from threading import Event as Flag
from typing import Any, ClassVar

from pydantic import Field

from ..errors import InvalidRequest, UnsupportedTask
from ..events import Event, Finished, Labels, Progress, Vector
from ..media import TAKEN, listening
from ..schema import Options, Request
from .base import Runner
from .classification import ClassificationOptions, likeliest, scores
from .dual_encoder import ZeroShotOptions
from .embedding import EmbeddingOptions
from .loading import explained, load_model, load_reader
from .multimodal import moved, touch
from .stretches import Samples, sounds
from .words import wanted

FEWEST = 1600
"""Samples that models are shown at least."""
WINDOW = 10.0
"""Seconds looked at at once; of a longer sound the mean over its windows is told."""
SHORTEST = 0.1


class SoundOptions(ZeroShotOptions):
    """The classes to choose from, and how they are put to the model."""

    hypothesis_template: str = Field(
        "This is a sound of {}.",
        max_length=500,
        description="The sentence that each class is put into, where {} stands.",
    )


class SoundRunner(Runner):
    """A model that looks at sounds, window by window."""

    what: ClassVar[str]
    auto: ClassVar[str]
    reader: ClassVar[str] = "AutoFeatureExtractor"
    optional: ClassVar[tuple[str, ...]] = ()

    def load(self) -> None:
        import transformers

        with explained(self.checkpoint, self.what):
            self._reader: Any = load_reader(getattr(transformers, self.reader), self.checkpoint)
            self._model: Any = load_model(
                getattr(transformers, self.auto), self.checkpoint, self.placement, optional=self.optional
            )
        self._ears: Any = getattr(self._reader, "feature_extractor", self._reader)
        self._rate = int(self._ears.sampling_rate)
        self._size = int(window_of(self._ears) * self._rate)
        touch(self._model)

    def unload(self) -> None:
        del self._model, self._reader, self._ears

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options, notes = request.options, list[str]()
        self.check(options)
        for index, medium in enumerate(request.media):
            if medium.kind == "image":
                raise UnsupportedTask(f"{self.checkpoint.name} takes sounds, no pictures.")
            total, count = None, 0
            with listening(medium.path, self._rate, TAKEN) as recording:
                for window in _windows(recording.blocks(), self._size):
                    if stop.is_set():
                        break
                    found = self._looked(window, options)
                    total = found if total is None else total + found
                    count += 1
                    yield Progress(phase="working", done=int(recording.heard), unit="s")
                if (note := recording.note) and not stop.is_set():
                    notes.append(note)
            if total is not None and not stop.is_set():
                yield from self.tell(total / count, index, options)
        reason = "cancelled" if stop.is_set() else "stop"
        yield Finished(finish_reasons=(reason,), notes=tuple(notes))

    def check(self, options: Options) -> None:
        """Raises `InvalidRequest` when this model cannot follow the options."""

    @abstractmethod
    def look(self, inputs: dict[str, Any], options: Options) -> Any:
        """What the model finds in a window: a row of numbers; called with gradients off."""

    @abstractmethod
    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        """The events of sound number `index`, from the mean of what was found."""

    def _looked(self, window: Samples, options: Options) -> Any:
        import torch

        inputs = dict(self._ears(window, sampling_rate=self._rate, return_tensors="pt"))
        with torch.inference_mode():
            return self.look(moved(inputs, self._model), options).to("cpu", torch.float32)


class SoundClassifierRunner(SoundRunner):
    """One audio classifier."""

    what = "an audio classifier"
    auto = "AutoModelForAudioClassification"

    def look(self, inputs: dict[str, Any], options: Options) -> Any:
        if isinstance(options, EmbeddingOptions):
            hidden = self._model(**inputs, output_hidden_states=True).hidden_states[-1]
            return hidden.mean(dim=1)[0]
        return scores(self._model(**inputs).logits.float(), self._model.config)[0]

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        if isinstance(options, EmbeddingOptions):
            yield Vector(values=options.scaled(found), index=index)
            return
        assert isinstance(options, ClassificationOptions)
        names = self._model.config.id2label
        yield Labels(items=likeliest(found, lambda i: str(names[i]), options.top_k), index=index)


class SoundEncoderRunner(SoundRunner):
    """One model that makes vectors of sounds: the mean over their moments."""

    what = "an encoder of sounds"
    auto = "AutoModel"
    optional = ("masked_spec_embed", "pooler.")

    def look(self, inputs: dict[str, Any], options: Options) -> Any:
        return self._model(**inputs).last_hidden_state.mean(dim=1)[0]

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        assert isinstance(options, EmbeddingOptions)
        yield Vector(values=options.scaled(found), index=index)


class SoundAndTextRunner(SoundRunner):
    """One model that reads sounds and texts into the same space: CLAP."""

    what = "a model of sounds and texts"
    auto = "AutoModel"
    reader = "AutoProcessor"
    optional = ("position_ids",)

    def check(self, options: Options) -> None:
        if isinstance(options, ZeroShotOptions):
            wanted(options.labels)

    def look(self, inputs: dict[str, Any], options: Options) -> Any:
        if isinstance(options, EmbeddingOptions):
            return _tensor(self._model.get_audio_features(**inputs))[0]
        if not isinstance(options, ZeroShotOptions):
            raise InvalidRequest("labels: say what to listen for.")
        texts = dict(
            self._reader.tokenizer(options.sentences, return_tensors="pt", padding=True, truncation=True)
        )
        return self._model(**inputs, **moved(texts, self._model)).logits_per_audio.float().softmax(-1)[0]

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        if isinstance(options, EmbeddingOptions):
            yield Vector(values=options.scaled(found), index=index)
            return
        assert isinstance(options, ZeroShotOptions)
        yield Labels(items=likeliest(found, options.labels.__getitem__, options.top_k), index=index)


def window_of(ears: Any) -> float:
    """Seconds that a model is shown at once; more would be cut off by what prepares its input."""
    frames = getattr(ears, "max_length", None)
    if hasattr(ears, "num_mel_bins") and isinstance(frames, int):  # a spectrogram: 25 ms every 10 ms
        return min(WINDOW, (frames - 1) * 0.01 + 0.025)
    longest = getattr(ears, "max_length_s", None) or getattr(ears, "chunk_length_s", None)
    return min(WINDOW, float(longest)) if longest else WINDOW


def _windows(blocks: Iterator[Samples], size: int) -> Iterator[Samples]:
    """Blocks gathered to windows; a short rest and silence count only where there is nothing else."""
    import numpy as np

    waiting, told = np.zeros(0, dtype=np.float32), False
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= size:
            if sounds(waiting[:size], size):
                told = True
                yield waiting[:size]
            waiting = waiting[size:]
    if not told:  # of a few samples no spectrogram can be made
        yield waiting if len(waiting) >= FEWEST else np.pad(waiting, (0, size // 4))
    elif len(waiting) >= size // 4 and sounds(waiting, size):
        yield waiting


def _tensor(found: Any) -> Any:
    return found if hasattr(found, "shape") else found.pooler_output
