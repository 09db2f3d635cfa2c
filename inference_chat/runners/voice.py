"""Speech from text: VITS, SpeechT5 and others that transformers loads as text to waveform or spectrogram."""

import re
from collections.abc import Iterator
from threading import Event as Flag
from typing import Any

from pydantic import Field

from ..errors import InvalidRequest
from ..events import AudioReady, Event, File, Finished, Progress, Receipt, Usage
from ..media import Sound, wav_bytes
from ..schema import Options, Request
from .base import Runner
from .loading import LOCAL, explained, load_model, load_reader
from .multimodal import moved, touch

ENDS = ".!?…\n\u3002\uff01\uff1f"
"""What sentences end with, in Chinese and Japanese too."""
SENTENCE = re.compile(f"[^{ENDS}]+[{ENDS}]*")
LONGEST = 300
"""Letters spoken in one go; longer sentences are cut at a comma or a space."""
PAUSE = 0.15
"""Seconds between sentences."""
RATE = 16_000
GRIFFIN_LIM_ROUNDS = 40


class VoiceOptions(Options):
    """How a text is spoken."""

    voice: int = Field(0, ge=0, le=10_000, description="Which of the model's voices, counted from 0.")
    speed: float = Field(1.0, ge=0.25, le=4, description="Above 1 it is spoken faster, where the model can.")
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed speaks the same way.")


class VoiceRunner(Runner):
    """One model that speaks; each sentence is a step."""

    def load(self) -> None:
        with explained(self.checkpoint, "a model that speaks"):
            self._load()
        touch(self._model)

    def _load(self) -> None:
        from transformers import AutoModelForTextToWaveform, AutoTokenizer

        self._reader: Any = load_reader(AutoTokenizer, self.checkpoint)
        self._model: Any = load_model(AutoModelForTextToWaveform, self.checkpoint, self.placement)

    def unload(self) -> None:
        del self._model, self._reader

    @property
    def rate(self) -> int:
        """Samples a second."""
        config = self._model.config
        inner = getattr(config, "codec_config", None) or getattr(config, "audio_encoder", None)
        parts = (config, getattr(self._model, "generation_config", None), inner)
        found = (getattr(part, name, None) for part in parts for name in ("sampling_rate", "sample_rate"))
        return next((int(rate) for rate in found if rate), RATE)

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        import numpy as np
        import torch

        options = request.options
        assert isinstance(options, VoiceOptions)
        parts = sentences(_text(request))
        spoken: list[Any] = []
        for done, part in enumerate(parts):
            yield Progress(
                phase="working", fraction=done / len(parts), done=done, total=len(parts), unit="sentences"
            )
            if stop.is_set():
                break
            with torch.inference_mode(), torch.random.fork_rng():
                torch.manual_seed((options.seed + done) % 2**63)
                wave = self._spoken(part, options)
            spoken += [
                wave.to("cpu", torch.float32).numpy().reshape(-1),
                np.zeros(int(PAUSE * self.rate), np.float32),
            ]
        if spoken:
            sound = Sound(np.concatenate(spoken[:-1])[:, None], self.rate)
            yield AudioReady(audio=File(data=wav_bytes(sound), media_type="audio/wav"), rate=self.rate)
        yield Finished(
            finish_reasons=("cancelled" if stop.is_set() else "stop",),
            usage=Usage(prompt_tokens=sum(len(part) for part in parts)),
            notes=self.notes(),
            receipt=Receipt(model=self.checkpoint.name, seed=options.seed),
        )

    def notes(self) -> tuple[str, ...]:
        """What the listener should know."""
        return ()

    def _spoken(self, text: str, options: VoiceOptions) -> Any:
        inputs = dict(self._reader(text, return_tensors="pt"))
        if not inputs["input_ids"].shape[1]:
            raise InvalidRequest(f"{self.checkpoint.name} knows none of the letters in {text[:40]!r}.")
        voices = getattr(self._model.config, "num_speakers", 1) or 1
        if options.voice >= max(1, voices):
            raise InvalidRequest(f"voice: {self.checkpoint.name} has the voices 0 to {max(1, voices) - 1}.")
        if self._model.config.model_type != "vits":
            return self._model.generate(**moved(inputs, self._model))
        self._model.speaking_rate = self._model.config.speaking_rate * options.speed
        speaker = {"speaker_id": options.voice} if voices > 1 else {}
        return self._model(**moved(inputs, self._model), **speaker).waveform[0]


class SpectrogramRunner(VoiceRunner):
    """SpeechT5: a spectrogram, then the vocoder in its folder `vocoder`, or Griffin and Lim's method."""

    def _load(self) -> None:
        from transformers import AutoModelForTextToSpectrogram, AutoProcessor, SpeechT5HifiGan

        self._reader: Any = load_reader(AutoProcessor, self.checkpoint)
        self._model: Any = load_model(AutoModelForTextToSpectrogram, self.checkpoint, self.placement)
        folder = self.checkpoint.folder / "vocoder"
        self._vocoder: Any = None
        if folder.is_dir():
            found: Any = SpeechT5HifiGan.from_pretrained(str(folder), use_safetensors=True, **LOCAL)
            self._vocoder = found.to(self.placement.device, self._model.dtype).eval()

    def unload(self) -> None:
        super().unload()
        del self._vocoder

    def notes(self) -> tuple[str, ...]:
        if self._vocoder is not None:
            return ()
        name = self.checkpoint.name
        return (f"{name} has no folder `vocoder`, so the sound is a simple reconstruction (Griffin-Lim).",)

    def _spoken(self, text: str, options: VoiceOptions) -> Any:
        import torch

        inputs = moved(dict(self._reader(text=text, return_tensors="pt")), self._model)
        # The voice is a vector of length 1; 0 is the neutral one.
        voice = torch.randn(1, self._model.config.speaker_embedding_dim, generator=_generator(options.voice))
        voice = torch.nn.functional.normalize(voice) if options.voice else torch.zeros_like(voice)
        voice = voice.to(self._model.device, self._model.dtype)
        mel = self._model.generate_speech(inputs["input_ids"], voice, vocoder=self._vocoder)
        return mel if self._vocoder is not None else griffin_lim(mel.float().cpu(), RATE)


def griffin_lim(mel: Any, rate: int) -> Any:
    """A wave from a log10 mel spectrogram (frames, bands) of SpeechT5's kind (Griffin and Lim, 1984)."""
    import torch
    from transformers.audio_utils import mel_filter_bank

    size, hop = 1024, 256
    bank = mel_filter_bank(size // 2 + 1, mel.shape[1], 80, 7600, rate, norm="slaney", mel_scale="slaney")
    inverse = torch.linalg.pinv(torch.tensor(bank, dtype=torch.float32).T)
    magnitude = (inverse @ (10 ** mel.clamp(-10, 2)).T).clamp(min=1e-8)
    magnitude = torch.nn.functional.pad(magnitude, (0, max(0, size // hop + 1 - mel.shape[0])))
    window = torch.hann_window(size)
    how: dict[str, Any] = {"n_fft": size, "hop_length": hop, "window": window}
    phase = torch.rand(magnitude.shape, generator=_generator(0)) * 2 * torch.pi
    spectrum = torch.polar(magnitude, phase)
    for _ in range(GRIFFIN_LIM_ROUNDS):
        again = torch.stft(torch.istft(spectrum, **how), return_complex=True, **how)
        spectrum = torch.polar(magnitude, again.angle())
    wave = torch.istft(spectrum, **how)
    return wave / wave.abs().max().clamp(min=1.0)


def sentences(text: str) -> list[str]:
    """A text in pieces that are spoken one after the other, none longer than 300 letters."""
    found: list[str] = []
    for match in SENTENCE.finditer(text):
        rest = match[0].strip()
        while len(rest) > LONGEST:
            at = max(rest.rfind(mark, 1, LONGEST) for mark in (",", ";", " "))
            at = at + 1 if at > 0 else LONGEST
            found.append(rest[:at].strip())
            rest = rest[at:].strip()
        if any(letter.isalnum() for letter in rest):
            found.append(rest)
    if not found:
        raise InvalidRequest("There is nothing to say: the text has no letters.")
    return found


def _text(request: Request) -> str:
    if request.prompt is not None:
        return request.prompt
    return request.messages[-1].text if request.messages else ""


def _generator(seed: int) -> Any:
    import torch

    return torch.Generator().manual_seed(seed)
