"""What starter-listener is shown: spoken sentences in noise and rooms, and sounds in which nobody speaks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from examples.train_starters.fitting import Batch
from examples.train_starters.listener_data.rooms import add_noise, colored_noise, hum, in_room
from examples.train_starters.listener_data.sentences import letters
from examples.train_starters.listener_data.speech import Speech
from examples.train_starters.listener_data.voices import RATE

IGNORED = -100
# The first stands for no letter at all, as CTC needs it.
LETTERS = "_ abcdefghijklmnopqrstuvwxyz"
SECONDS = 6
_SILENT_SHARE = 0.06
_EASY, _HARD = 12, 36


@dataclass(frozen=True)
class Heard:
    """Waves [batch, samples] and what is said in each."""

    waves: torch.Tensor
    texts: list[str]


def batches(
    processor: Any, speech: Speech, seed: int, at: int, full: float = 0.15, rows: int = 40, number: int = 16
) -> Iterator[Batch]:
    """The batches of buffer `at`: like lengths together, a share `full` of them in the whole window.

    The first buffers are quiet and noise grows from there: in noise from the start little is learnt.
    """
    trouble = min(1.0, max(0.0, (at - _EASY) / (_HARD - _EASY)))
    rng = random.Random(f"{seed}/{at}")
    drawn = [rng.randrange(len(speech)) for _ in range(rows * number)]
    drawn.sort(key=lambda one: speech.spoken[one].length)
    groups = [drawn[start : start + rows] for start in range(0, len(drawn), rows)]
    rng.shuffle(groups)
    for group in groups:
        yield encoded(processor, mixed(speech, group, rng, rng.random() < full * trouble, trouble))


def mixed(speech: Speech, group: list[int], rng: random.Random, full: bool, trouble: float = 1.0) -> Heard:
    """Sentences at other speeds, in rooms, with noise; in a few rows there is noise alone."""
    generator = torch.Generator().manual_seed(rng.randrange(1 << 40))
    sounds = [
        _faster(torch.from_numpy(speech.samples(one)), rng.uniform(1 - 0.12 * trouble, 1 + 0.14 * trouble))
        for one in group
    ]
    wave = _placed(sounds, rng, full, trouble)
    silent = torch.rand(len(group), generator=generator) < _SILENT_SHARE
    echo = torch.rand(len(group), generator=generator) < 0.4 * trouble
    if echo.any():
        seconds = 0.1 + 0.5 * torch.rand(int(echo.sum()), generator=generator)
        wave[echo] = in_room(wave[echo], seconds, generator)
    decibels = 40 - 36 * trouble * torch.rand(len(group), generator=generator)
    noise = _noise(wave, generator)
    nobody = noise * 0.05 * (torch.rand(len(group), 1, generator=generator) < 0.7)
    wave = torch.where(silent[:, None], nobody, add_noise(wave, decibels, noise))
    gain = 10 ** (-(25 * torch.rand(len(group), 1, generator=generator)) / 20)
    peak = wave.abs().amax(1, keepdim=True).clamp(min=1e-3)
    texts = [
        "" if quiet else speech.spoken[one].text for one, quiet in zip(group, silent.tolist(), strict=True)
    ]
    return Heard(wave / peak * gain, texts)


@cache
def _bank() -> torch.Tensor:
    """Noises [96, samples] of root mean square 1; to make them anew each time is half the work."""
    generator = torch.Generator().manual_seed(0)
    length = 1 << (SECONDS * RATE).bit_length()
    return torch.cat([colored_noise(76, length, generator), hum(20, length, generator)])


def _noise(wave: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    bank = _bank()
    rows = torch.randint(len(bank), (len(wave),), generator=generator)
    start = int(torch.randint(bank.shape[1] - wave.shape[1], (1,), generator=generator))
    return bank[rows, start : start + wave.shape[1]]


def _faster(wave: torch.Tensor, factor: float) -> torch.Tensor:
    length = round(len(wave) / factor)
    return functional.interpolate(wave[None, None], length, mode="linear", align_corners=False)[0, 0]


def _placed(sounds: list[torch.Tensor], rng: random.Random, full: bool, trouble: float) -> torch.Tensor:
    longest = max(len(sound) for sound in sounds)
    step = RATE * 8 // 25
    room = longest + (rng.randint(0, round(trouble * RATE / 2)) if not full else SECONDS * RATE)
    width = min(SECONDS * RATE, -(-room // step) * step)
    wave = torch.zeros(len(sounds), width)
    for row, sound in zip(wave, sounds, strict=True):
        start = round(trouble * rng.randint(0, max(0, width - len(sound))))
        row[start : start + len(sound)] = sound[: width - start]
    return wave


def encoded(processor: Any, heard: Heard) -> Batch:
    """Log-mel features [batch, mel, frames] and the tokens of the texts, padding ignored in the labels."""
    features = processor.feature_extractor(
        list(heard.waves.numpy().astype(np.float32)),
        sampling_rate=RATE,
        max_length=heard.waves.shape[1],
        return_tensors="pt",
    ).input_features
    tokens = processor.tokenizer(heard.texts, padding=True, return_tensors="pt", add_special_tokens=True)
    labels = tokens.input_ids.masked_fill(tokens.attention_mask == 0, IGNORED)
    spelt = [torch.tensor([LETTERS.index(one) for one in letters(text)]) for text in heard.texts]
    return {
        "features": features,
        "ids": tokens.input_ids,
        "labels": labels,
        "letters": torch.cat(spelt).long(),
        "lengths": torch.tensor([len(one) for one in spelt]),
    }


def masked(features: torch.Tensor) -> torch.Tensor:
    """Features with a band and a moment hidden in each row (SpecAugment, arXiv:1904.08779)."""
    rows, bands, frames = features.shape
    floor = features.amin((1, 2), keepdim=True)
    for size, most, dim in ((bands, 12, 1), (frames, 14, 2)):
        start = torch.randint(0, size, (rows, 1))
        place = torch.arange(size)[None]
        hidden = (place >= start) & (place < start + torch.randint(0, most, (rows, 1)))
        features = torch.where(hidden[:, :, None] if dim == 1 else hidden[:, None], floor, features)
    return features
