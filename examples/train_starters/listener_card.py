"""starter-listener's figures and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForSpeechSeq2Seq, AutoProcessor

from examples.train_starters.card import table, write_card
from examples.train_starters.listener_data.rooms import add_noise, colored_noise, hum, in_room
from examples.train_starters.listener_data.sentences import word_errors
from examples.train_starters.listener_data.speech import Speech
from examples.train_starters.listener_data.voices import NEW_VARIANTS, RATE, VARIANTS
from examples.train_starters.measuring import facts, latency, weights_facts

_FRONT = """---
license: apache-2.0
language: en
pipeline_tag: automatic-speech-recognition
library_name: transformers
tags: [whisper, small, from-scratch]
inference_chat:
  name: starter-listener
  version: 1.0.0
  capabilities: [SpeechRecognition]
---
"""

_BODY = """# starter-listener

A small Whisper ({millions:.1f} M parameters, {megabytes} MB) trained from scratch for Inference
Chat. It writes down what synthetic voices say: questions about pictures of coloured shapes ("How
many red circles are there?"), what to draw, greetings and small talk, sums, questions on countries.
With starter-vision-chat beside it, a picture can be asked about aloud.

## Measured

Word error rate of greedy answers, case and punctuation aside, {each} sentences a row. The voices
are espeak-ng's; {new_voices} of its variants are never heard in training, which has {voices}.

{errors}

{noise_right:.1%} of {nobody} recordings without speech (silence, noise, hum) were left without a word.

{facts}

## Recipe

{shape}; one window of six seconds, {mels} mel bands, a frame every 20 ms;
byte-level BPE of {vocabulary} tokens; fp16 weights. Trained on {sentences:,} sentences spoken by espeak-ng in five
English accents at many pitches and speeds, each time at another tempo and loudness, in simulated
rooms, with coloured noise and hum from 4 to 40 dB, and with 6 % of recordings in which nobody
speaks; SpecAugment, Muon on the hidden matrices and AdamW on the rest, averaged weights. Short
sentences are learnt in a window cut to their length.

```
python -m examples.train_starters listener --steps {steps}
```

These weights were trained in three goes, so the seed alone does not give them again. Training needs the
program `espeak-ng` (GPL-3.0; only sounds that it made were used, no part of it is here). Data: our own sentences. No weights of another model were used.

## Limits

It has heard only synthetic voices and knows about {words} words: people's own voices, other topics
and other languages come out wrong, in words that it knows. A sentence in a wording that it never
heard mostly comes out as one that it knows, as the last row of the table shows. Numbers and names of
countries are what it mistakes most. It gives no timestamps. Sound longer than six seconds must be
cut into pieces, which Inference Chat does.

## Sample

{samples}
"""

_SAMPLES = 6
_NOBODY = 100


class Listener:
    """A model folder that writes down what it hears."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = AutoModelForSpeechSeq2Seq.from_pretrained(folder, dtype=torch.float32).eval()
        processors: Any = AutoProcessor
        self.processor = processors.from_pretrained(folder)

    def __call__(self, waves: Sequence[NDArray[np.float32]]) -> list[str]:
        """What is said in each sound of at most six seconds at 16 kHz."""
        texts: list[str] = []
        for start in range(0, len(waves), 50):
            inputs = self.processor(list(waves[start : start + 50]), sampling_rate=RATE, return_tensors="pt")
            with torch.inference_mode():
                written = self.model.generate(**inputs)
            texts += self.processor.batch_decode(written, skip_special_tokens=True)
        return [text.strip() for text in texts]


def conditions(wave: NDArray[np.float32], seed: int) -> dict[str, NDArray[np.float32]]:
    """The sound as it is, with noise, and in an echoing room with a little noise."""
    generator = torch.Generator().manual_seed(1_000_000 + seed)
    sound = torch.from_numpy(wave)[None]
    noise = (hum if seed % 5 == 0 else colored_noise)(1, len(wave), generator)
    ten, twenty, thirty = (torch.full((1,), float(decibels)) for decibels in (10, 20, 30))
    echo = in_room(sound, torch.full((1,), 0.4), generator)
    heard = {
        "quiet": sound,
        "noise, 20 dB": add_noise(sound, twenty, noise),
        "noise, 10 dB": add_noise(sound, ten, noise),
        "echo, noise 30 dB": add_noise(echo, thirty, noise),
    }
    return {name: (one / one.abs().max() * 0.6)[0].numpy() for name, one in heard.items()}


def error_rate(listener: Listener, waves: Sequence[NDArray[np.float32]], texts: Sequence[str]) -> float:
    """Word errors over words wanted."""
    counts = [word_errors(text, said) for text, said in zip(texts, listener(waves), strict=True)]
    return sum(errors for errors, _ in counts) / sum(wanted for _, wanted in counts)


def measure(folder: Path, tests: Mapping[str, Speech]) -> dict[str, Any]:
    """Everything the card says in figures, measured now on the folder's weights."""
    listener = Listener(folder)
    errors: dict[str, dict[str, float]] = {}
    for name, speech in tests.items():
        heard = [conditions(speech.samples(at), at) for at in range(len(speech))]
        texts = [one.text for one in speech.spoken]
        errors[name] = {
            kind: round(error_rate(listener, [one[kind] for one in heard], texts), 4) for kind in heard[0]
        }
        print(name, errors[name])
    generator = torch.Generator().manual_seed(7)
    sounds = [
        colored_noise(1, 2 * RATE, generator),
        hum(1, 2 * RATE, generator),
        torch.zeros(1, RATE),
    ]
    nobody = [(sounds[at % 3] * 0.02 * (1 + at % 7)).roll(at * 97, 1)[0].numpy() for at in range(_NOBODY)]
    first = next(iter(tests.values()))
    return weights_facts(folder, listener.model) | {
        "errors": errors,
        "sentences": len(first),
        "silent": sum(not text for text in listener(nobody)) / _NOBODY,
        "nobody": _NOBODY,
        "milliseconds": latency(lambda: listener([first.samples(0)])),
        "samples": {first.spoken[at].text: listener([first.samples(at)])[0] for at in range(_SAMPLES)},
    }


ROWS = {
    "new_voice": "new voices",
    "new_accent": "new voices in new accents (Scottish, New York)",
    "new_wording": "new voices, wordings held out of training whole",
}


def finish(folder: Path, tests: Mapping[str, Speech], training: Mapping[str, Any], words: int) -> None:
    """Measures the folder and writes its card."""
    write(folder, measure(folder, tests) | {"training": dict(training), "words": words})


def write(folder: Path, measured: Mapping[str, Any]) -> None:
    """Writes the card of the folder's weights from these figures."""
    config = AutoConfig.from_pretrained(folder)
    body = _BODY.format(
        steps=measured["training"]["steps"],
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        each=measured["sentences"],
        new_voices=len(NEW_VARIANTS),
        voices=len(VARIANTS),
        errors=_errors(measured["errors"]),
        noise_right=measured["silent"],
        nobody=measured["nobody"],
        facts=table(("", ""), facts(measured, "Time for one sentence")),
        shape=f"{config.encoder_layers} encoder and {config.decoder_layers} decoder layers, "
        f"width {config.d_model}",
        mels=config.num_mel_bins,
        vocabulary=config.vocab_size,
        sentences=measured["training"]["sentences"],
        words=measured["words"],
        samples=table(("said", "written"), measured["samples"]),
    )
    write_card(folder, _FRONT + body, measured)


def _errors(errors: Mapping[str, Mapping[str, float]]) -> str:
    kinds = list(next(iter(errors.values())))
    head = f"| test | {' | '.join(kinds)} |\n|{'---|' * (len(kinds) + 1)}"
    rows = [
        f"| {ROWS[name]} | {' | '.join(f'{value:.1%}' for value in row.values())} |"
        for name, row in errors.items()
    ]
    return "\n".join([head, *rows])
