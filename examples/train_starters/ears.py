"""Trains starter-ears, a small audio spectrogram transformer that names a sound."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

from examples.train_starters.ears_card import finish
from examples.train_starters.ears_sounds import RATE, Wave, names, sound
from examples.train_starters.fitting import Batch, Fitting, Plan

FRAMES, MELS, PATCH = 298, 64, 16
_FRAME, _HOP, _FFT, _FLOOR, _EMPHASIS = 400, 160, 512, 1.192092955078125e-07, 0.97
_MEAN, _DEVIATION = -7.2, 2.7


def extractor() -> Any:
    """What turns a sound into AST's features: 64 mel bands, three seconds."""
    return ASTFeatureExtractor(  # type: ignore[no-untyped-call]
        sampling_rate=RATE, num_mel_bins=MELS, max_length=FRAMES, mean=_MEAN, std=_DEVIATION
    )


def config(hidden: int = 128, layers: int = 4) -> ASTConfig:
    """The model's shape."""
    return ASTConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        intermediate_size=3 * hidden,
        hidden_dropout_prob=0.05,
        patch_size=PATCH,
        frequency_stride=PATCH,
        time_stride=PATCH,
        max_length=FRAMES,
        num_mel_bins=MELS,
        id2label=dict(enumerate(names())),
        label2id={name: at for at, name in enumerate(names())},
    )


@cache
def _filters() -> tuple[torch.Tensor, torch.Tensor]:
    listening = extractor()
    return (
        torch.from_numpy(np.asarray(listening.mel_filters, np.float32)),
        torch.from_numpy(np.asarray(listening.window, np.float32)),
    )


def features(wave: Wave) -> torch.Tensor:
    """[frames, mel] for one sound, as the extractor makes them but ten times as quickly, since it loops
    in Python."""
    filters, window = _filters()
    frames = torch.from_numpy(wave).unfold(0, _FRAME, _HOP)[:FRAMES]
    frames = frames - frames.mean(1, keepdim=True)
    before = torch.cat([frames[:, :1], frames[:, :-1]], 1)
    spectrum = torch.fft.rfft((frames - _EMPHASIS * before) * window, _FFT)
    logs = (spectrum.abs().square() @ filters).clamp(min=_FLOOR).log()
    filled = functional.pad(logs, (0, 0, 0, FRAMES - len(logs)))
    return (filled - _MEAN) / (2 * _DEVIATION)


def batches(seed: int, at: int, rows: int = 32, number: int = 10) -> Iterator[Batch]:
    """The batches of the buffer with number `at`."""
    rng = random.Random(f"{seed}/{at}")
    for _ in range(number):
        yield encoded([sound(rng, "train") for _ in range(rows)])


def encoded(sounds: Sequence[tuple[Wave, str]]) -> Batch:
    """Sounds as features [batch, frames, mel] and the places of their names."""
    return {
        "features": torch.stack([features(wave) for wave, _ in sounds]),
        "labels": torch.tensor([names().index(name) for _, name in sounds]),
    }


def loss(model: Any, batch: Batch, progress: float) -> torch.Tensor:
    """Cross-entropy with smoothed labels."""
    logits = model(input_values=batch["features"]).logits
    return functional.cross_entropy(logits.float(), batch["labels"], label_smoothing=0.03)


def train(plan: Plan, hidden: int = 128, layers: int = 4, tested: int = 50) -> Fitting:
    """Trains, exports, measures and writes the card."""
    torch.manual_seed(plan.seed)
    model = ASTForAudioClassification(config(hidden, layers))
    fitting = Fitting(plan, model, loss, lambda at: batches(plan.seed, at))
    fitting.run()
    model.half().save_pretrained(plan.out)  # type: ignore[no-untyped-call]
    extractor().save_pretrained(plan.out)
    finish(plan.out, fitting.facts(), tested)
    return fitting


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=6.0, rate=3e-3), **options)
