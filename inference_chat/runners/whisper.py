"""Speech recognition by models that write what they hear: Whisper and other sequence-to-sequence models."""

from collections.abc import Generator, Sequence
from itertools import pairwise
from typing import Any

from ..errors import InvalidRequest, UnsupportedTask
from ..events import Event, Progress, Span
from .detokenize import Detokenizer
from .loading import load_model, load_reader
from .multimodal import moved, touch
from .prepared import PreparedSteps
from .speech import LONGEST_WINDOW, SHORT_WINDOW, Hearing, SpeechRunner, Written, span, spread, whole
from .stretches import Samples, Stretch
from .writing import Begun, spell

TOKEN_SECONDS = 0.02
"""What Whisper's time tokens count."""
FEWEST_TIMES = 50
ROOM_SECONDS = 0.75
ROOM_LEVEL = 0.01
"""Of the loudness of what is said: 40 dB below it."""
SHORTEST = 0.5
"""Seconds of sound that are worth asking about again."""
SHARED = ("max_target_positions", "max_position_embeddings", "max_length")


class WhisperRunner(SpeechRunner):
    """A model that writes; with time tokens, sentences are told with their seconds."""

    def _load(self) -> None:
        from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

        self._processor: Any = load_reader(AutoProcessor, self.checkpoint)
        self._ears: Any = self._processor.feature_extractor
        self._tokenizer: Any = self._processor.tokenizer
        self._model: Any = load_model(AutoModelForSpeechSeq2Seq, self.checkpoint, self.placement)
        touch(self._model)
        self.rate = int(self._ears.sampling_rate)
        self.window = float(getattr(self._ears, "chunk_length", None) or LONGEST_WINDOW)
        self._positions = _positions(self._model.config)
        config = self._model.generation_config
        self._languages: dict[str, int] = getattr(config, "lang_to_id", None) or {}
        self._many = bool(getattr(config, "is_multilingual", False)) and bool(self._languages)
        first: int | None = getattr(config, "no_timestamps_token_id", None)
        self._first_time: int | None = None
        if first is not None and self._model.config.vocab_size - first > FEWEST_TIMES:
            self._first_time = first + 1

    def unload(self) -> None:
        del self._model, self._tokenizer, self._processor, self._ears

    def _begin(self, task: Hearing) -> None:
        name, options = self.checkpoint.name, task.options
        if options.translate and not self._many:
            raise UnsupportedTask(f"{name} does not translate; choose a multilingual model.")
        if task.language and not self._many:
            task.language = None
            task.notes.append(f"{name} does not choose among languages; `language` was left out.")
        elif task.language:
            task.language = self._code(task.language)

    def _code(self, language: str) -> str:
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
        if f"<|{code}|>" not in self._languages:
            known = ", ".join(sorted(token.strip("<|>") for token in self._languages))
            raise InvalidRequest(
                f"{self.checkpoint.name} does not know the language {language!r}; it knows {known}."
            )
        return str(code)

    def _write(self, stretch: Stretch, task: Hearing) -> Generator[Event, None, Written]:
        """Models with time tokens may end before the sound does; they are then asked about the rest."""
        found, rest = Written("", ()), stretch
        while True:
            part, heard = yield from self._written(rest, task)
            found = Written(found.text + part.text, found.spans + part.spans, found.tokens + part.tokens)
            more = rest.after(heard)
            if task.stop.is_set() or heard < SHORTEST or more.voiced[1] - more.start_s < SHORTEST:
                return found
            rest = more

    def _written(self, stretch: Stretch, task: Hearing) -> Generator[Event, None, tuple[Written, float]]:
        """What a stretch says, and to which of its seconds the model has listened."""
        steps = self._steps(stretch, task)
        yield Progress(phase="answering")
        steps.read()
        begun = self._begun(steps)
        answers = yield from spell(begun, task.options, task.options.seed or 0, task.stop)
        tokens = answers[0].tokens
        said = [token for token in tokens if token not in begun.ends]
        text = self._decode(said)
        if task.options.timestamps == "word":
            spans = self._words(stretch, steps, begun, said)
        else:
            spans = self._sentences(stretch, said) or whole(stretch, text)
        return Written(text, spans, len(tokens)), self._heard(stretch, said)

    def _heard(self, stretch: Stretch, tokens: Sequence[int]) -> float:
        """Two time tokens at the end say that something follows the last; else all was heard."""
        first = self._first_time
        if first is None or len(tokens) < 2 or min(tokens[-2:]) < first:
            return stretch.end_s - stretch.start_s
        return (tokens[-1] - first) * TOKEN_SECONDS

    def _steps(self, stretch: Stretch, task: Hearing) -> PreparedSteps:
        import torch

        samples = stretch.samples
        if self.window < SHORT_WINDOW and self._first_time is None:
            samples = in_a_room(samples, self.rate, self.window)
        inputs = dict(self._ears(samples, sampling_rate=self.rate, return_tensors="pt"))
        how: dict[str, Any] = {"return_timestamps": True} if self._first_time is not None else {}
        if self._many:
            how |= {
                "language": task.language,
                "task": "translate" if task.options.translate else "transcribe",
            }
        used = 8
        if ids := self._before(task):
            how["prompt_ids"] = torch.tensor(ids, device=self._model.device)
            used += len(ids)
        how["max_new_tokens"] = max(1, min(task.options.max_tokens, self._positions - used))
        steps = PreparedSteps(self._model, moved(inputs, self._model), **how)
        if self._many and task.language is None:
            codes = {id: token.strip("<|>") for token, id in self._languages.items()}
            task.language = next((codes[token] for token in steps.said if token in codes), None)
        return steps

    def _before(self, task: Hearing) -> list[int]:
        """The tokens of a prompt, which count as said before; names and spellings are taken from it."""
        mark = getattr(self._model.generation_config, "prev_sot_token_id", None)
        if not task.request.prompt or mark is None:
            return []
        ids = self._tokenizer(f" {task.request.prompt.strip()}", add_special_tokens=False)["input_ids"]
        return [mark, *ids[-(self._positions // 2 - 1) :]]

    def _begun(self, steps: PreparedSteps) -> Begun:
        return Begun(
            steps,
            steps.logits,
            said=steps.said,
            limit=max(1, self._positions - len(steps.said)),
            ends=steps.ends | (frozenset({self._tokenizer.eos_token_id}) - {None}),
            decode=self._decode,
            rules=steps.rules,
        )

    def _decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without special ones and times."""
        first = self._first_time
        kept = [token for token in ids if first is None or token < first]
        return str(self._tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _sentences(self, stretch: Stretch, tokens: Sequence[int]) -> tuple[Span, ...]:
        """What stands between two time tokens."""
        if (first := self._first_time) is None:
            return ()
        marks = [i for i, token in enumerate(tokens) if token >= first]
        found = []
        for i, j in pairwise([*marks, len(tokens)]):
            if text := self._decode(tokens[i + 1 : j]).strip():
                length = stretch.end_s - stretch.start_s
                start = min((tokens[i] - first) * TOKEN_SECONDS, length)
                end = max(start, (tokens[j] - first) * TOKEN_SECONDS) if j < len(tokens) else length
                found.append(span(stretch, start, end, text))
        return tuple(found)

    def _words(
        self, stretch: Stretch, steps: PreparedSteps, begun: Begun, tokens: Sequence[int]
    ) -> tuple[Span, ...]:
        """Each word with its seconds, by the heads that follow the sound where the model names them."""
        first = self._first_time
        spoken = [token for token in tokens if first is None or token < first]
        heads = getattr(self._model.generation_config, "alignment_heads", None)
        if not heads or not spoken:
            return spread(self._decode(spoken).split(), *stretch.voiced)
        times = self._aligned(stretch, steps, [*begun.said, *spoken], len(begun.said), heads)
        return _grouped(self._decode, spoken, times, stretch)

    def _aligned(
        self, stretch: Stretch, steps: PreparedSteps, ids: list[int], prompt: int, heads: Any
    ) -> list[float]:
        """When each token begins, by dynamic time warping of the attention to the sound.

        The method is Whisper's (openai/whisper, `timing.py`), by transformers' implementation of it.
        """
        import torch
        from transformers.generation.utils import GenerateEncoderDecoderOutput

        usual = self._model.config._attn_implementation
        self._model.set_attn_implementation("eager")
        try:
            with torch.inference_mode():
                sequence: Any = torch.tensor([ids], device=self._model.device)
                out = self._model(
                    encoder_outputs=steps.encoded, decoder_input_ids=sequence, output_attentions=True
                )
                told = GenerateEncoderDecoderOutput(
                    sequences=sequence, cross_attentions=(out.cross_attentions,)
                )
                frames = int((stretch.end_s - stretch.start_s) * self.rate / self._ears.hop_length)
                found = self._model._extract_token_timestamps(
                    told, heads, num_frames=frames, num_input_ids=prompt
                )
        finally:
            self._model.set_attn_implementation(usual)
        return [float(time) for time in found[0][prompt:]]


def in_a_room(samples: Samples, rate: int, window: float) -> Samples:
    """A sentence with the quiet of a room around and below it, for models that were taught in rooms.

    Where a sound begins with its first word, in digital silence, starter-listener leaves out words: of 24
    unseen voices who said "How many red circles are there?" 1 was heard with "red" as it was, 16 this way.
    """
    import numpy as np

    room = max(0, int(window * rate) - len(samples))
    around = min(int(ROOM_SECONDS * rate), room // 2)
    padded = np.pad(samples, (around, around))
    level = float(np.sqrt(np.square(samples, dtype=np.float64).mean())) * ROOM_LEVEL if len(samples) else 0.0
    noise = np.random.default_rng(0).standard_normal(len(padded), dtype=np.float32)  # the same each time
    quiet: Samples = (padded + level * noise).astype(np.float32)
    return quiet


def _grouped(
    decode: Any, tokens: Sequence[int], times: Sequence[float], stretch: Stretch
) -> tuple[Span, ...]:
    """Tokens gathered to words: a new one begins with a space."""
    text = Detokenizer(decode)
    words: list[tuple[str, float, float]] = []
    for i, token in enumerate(tokens):
        piece = text.push(token)
        start, end = times[i], times[i + 1]
        if (words and piece and not piece[0].isspace()) or (not piece.strip() and words):
            word, begun, _ = words[-1]
            words[-1] = (word + piece, begun, end)
        elif piece:
            words.append((piece, start, end))
    if words:
        word, begun, end = words[-1]
        words[-1] = (word + text.flush(), begun, end)
    return tuple(span(stretch, start, max(start, end), word.strip()) for word, start, end in words)


def _positions(config: Any) -> int:
    """Tokens that a text may have, the ones it begins with included."""
    text = config.get_text_config(decoder=True)
    found = (getattr(part, name, None) for part in (config, text) for name in SHARED)
    return next((value for value in found if isinstance(value, int) and value > 0), 448)
