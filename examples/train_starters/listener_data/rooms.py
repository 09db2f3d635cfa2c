"""Noise and rooms: what lies between a mouth and a microphone. Waves are float [batch, samples] within -1
and 1."""

from __future__ import annotations

import math

import torch

from examples.train_starters.listener_data.voices import RATE


def colored_noise(rows: int, samples: int, generator: torch.Generator) -> torch.Tensor:
    """Noise of root mean square 1 whose power falls with frequency, by another exponent (0 to 2) in each
    row."""
    size = 1 << (samples - 1).bit_length()
    white = torch.fft.rfft(torch.randn(rows, size, generator=generator))
    frequency = torch.arange(1, white.shape[1] + 1) / white.shape[1]
    exponent = torch.rand(rows, 1, generator=generator)
    noise: torch.Tensor = torch.fft.irfft(white * frequency**-exponent, size)[:, :samples]
    return noise / noise.square().mean(1, keepdim=True).sqrt()


def hum(rows: int, samples: int, generator: torch.Generator) -> torch.Tensor:
    """A few steady tones, as machines make them, root mean square 1."""
    time = torch.arange(samples) / RATE
    pitch = 50 + 900 * torch.rand(rows, 3, 1, generator=generator) ** 2
    loud = torch.rand(rows, 3, 1, generator=generator)
    sound = (loud * torch.sin(2 * math.pi * pitch * time)).sum(1)
    return sound / sound.square().mean(1, keepdim=True).sqrt().clamp(min=1e-4)


def add_noise(wave: torch.Tensor, decibels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The wave with noise of root mean square 1 so many `decibels` [batch] below its own loudness."""
    loudness = wave.square().mean(1).clamp(min=1e-8).sqrt()
    return wave + noise * (loudness * 10 ** (-decibels / 20))[:, None]


def in_room(wave: torch.Tensor, seconds: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The wave with an echo that dies away by 60 dB in `seconds` [batch], and a coloured frequency
    response."""
    length = RATE * 2 // 5
    time = torch.arange(length) / RATE
    tail = torch.randn(len(wave), length, generator=generator) * torch.exp(-6.9 * time / seconds[:, None])
    tail *= 0.06 * torch.rand(len(wave), 1, generator=generator)
    tail[:, : RATE // 500] = 0
    tail[:, 0] = 1.0
    size = 1 << (wave.shape[1] + length - 1).bit_length()
    tilt = (torch.rand(len(wave), 1, generator=generator) - 0.5) * 1.2
    bend = torch.linspace(0.02, 1, size // 2 + 1) ** tilt
    spectrum = torch.fft.rfft(wave, size) * torch.fft.rfft(tail, size) * bend
    heard: torch.Tensor = torch.fft.irfft(spectrum, size)[:, : wave.shape[1]]
    return heard * (wave.abs().amax(1) / heard.abs().amax(1).clamp(min=1e-6))[:, None]
