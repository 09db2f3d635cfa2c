"""Speech recognition by models that name a letter for every moment: Wav2Vec2, HuBERT and their like (CTC)."""

from collections.abc import Generator
from typing import Any

from ..errors import UnsupportedTask
from ..events import Event, Progress, Span, TextDelta
from .loading import load_model, load_reader
from .multimodal import moved, touch
from .speech import Hearing, SpeechRunner, Written, span, spread, whole
from .stretches import Stretch

WINDOW = 20.0
"""Seconds at once: attention over all moments takes their square in memory."""


class CTCRunner(SpeechRunner):
    """A model whose text comes with its times, since each letter has its moment."""

    between = " "
    window = WINDOW

    def _load(self) -> None:
        from transformers import AutoModelForCTC, AutoProcessor

        self._processor: Any = load_reader(AutoProcessor, self.checkpoint)
        self._ears: Any = self._processor.feature_extractor
        self._tokenizer: Any = self._processor.tokenizer
        self._model: Any = load_model(AutoModelForCTC, self.checkpoint, self.placement)
        touch(self._model)
        self.rate = int(self._ears.sampling_rate)

    def unload(self) -> None:
        del self._model, self._tokenizer, self._processor, self._ears

    def _begin(self, task: Hearing) -> None:
        if task.options.translate:
            raise UnsupportedTask(
                f"{self.checkpoint.name} does not translate; choose a multilingual Whisper."
            )
        if task.language:
            task.notes.append(f"{self.checkpoint.name} knows one language; `language` was left out.")

    def _write(self, stretch: Stretch, task: Hearing) -> Generator[Event, None, Written]:
        yield Progress(phase="answering")
        ids = self._letters(stretch)
        text = str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()
        yield TextDelta(text=text)
        if task.options.timestamps == "word":
            return Written(text, self._words(stretch, ids, text), len(ids))
        return Written(text, whole(stretch, text), len(ids))

    def _letters(self, stretch: Stretch) -> list[int]:
        """The likeliest token of each moment."""
        import torch

        inputs = dict(self._ears(stretch.samples, sampling_rate=self.rate, return_tensors="pt"))
        with torch.inference_mode():
            logits = self._model(**moved(inputs, self._model)).logits
        return [int(token) for token in logits[0].argmax(-1)]

    def _words(self, stretch: Stretch, ids: list[int], text: str) -> tuple[Span, ...]:
        try:
            told = self._tokenizer.decode(
                ids, skip_special_tokens=True, output_word_offsets=True
            ).word_offsets
        except (TypeError, AttributeError):  # other tokenizers than Wav2Vec2's do not count moments
            return spread(text.split(), *stretch.voiced)
        moment = (stretch.end_s - stretch.start_s) / len(ids)
        return tuple(
            span(stretch, one["start_offset"] * moment, one["end_offset"] * moment, one["word"])
            for one in told
        )
