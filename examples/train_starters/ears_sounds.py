"""Sounds made by formulas, each with its name: tones, chords, alarms, weather, and what could be animals."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.train_starters.questions import Split

RATE = 16_000
LONGEST = 3.0
Wave = NDArray[np.floating[Any]]
_HELD_OUT_SEMITONES = (2, 7)
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 11), (0, 3, 7, 10))


class Source:
    """Seeded choices for one sound. The test's pitches lie on semitones that training leaves out."""

    def __init__(self, rng: random.Random, split: Split, seconds: float) -> None:
        self.rng, self.split = rng, split
        self.samples = round(seconds * RATE)
        self.time = np.arange(self.samples, dtype=np.float32) / RATE
        self.noise = np.random.default_rng(rng.getrandbits(40))

    def pitch(self, low: float, high: float) -> float:
        """A frequency in hertz between both, on this side's semitones, a little out of tune."""
        while True:
            semitone = round(12 * math.log2(self.rng.uniform(low, high) / 55))
            if (semitone % 12 in _HELD_OUT_SEMITONES) == (self.split == "test"):
                return float(55 * 2 ** ((semitone + self.rng.uniform(-0.25, 0.25)) / 12))

    def uniform(self, low: float, high: float) -> float:
        """A number between both."""
        return self.rng.uniform(low, high)

    def hiss(self, exponent: float = 0.0, low: float = 0.0, high: float = 8000.0) -> Wave:
        """Noise between two frequencies whose amplitude falls with frequency to the power of `exponent`."""
        size = 1 << (self.samples - 1).bit_length()
        spectrum = np.fft.rfft(self.noise.standard_normal(size).astype(np.float32))
        frequency = np.fft.rfftfreq(size, 1 / RATE)
        shape = np.maximum(frequency, 20.0) ** -exponent * ((frequency >= low) & (frequency <= high))
        return _loud(np.fft.irfft(spectrum * shape, size)[: self.samples])

    def voice(self, frequency: Wave, harmonics: int, fall: float) -> Wave:
        """A sound with overtones along a frequency in hertz [samples], each weaker to the power of `fall`."""
        phase = 2 * np.pi * np.cumsum(frequency) / RATE
        wave = np.zeros(self.samples, np.float32)
        for at in range(1, harmonics + 1):
            audible = frequency * at < RATE / 2.2
            wave += (np.sin(at * phase) * at**-fall * audible).astype(np.float32)
        return wave

    def bursts(self, every: float, length: float, shape: Callable[[Wave], Wave], jitter: float = 0.0) -> Wave:
        """An envelope of repeated bursts; `shape` maps 0..1 within one to its loudness."""
        envelope = np.zeros(self.samples, np.float32)
        start = self.uniform(0, min(every, 0.3))
        size = max(8, round(length * RATE))
        while start * RATE < self.samples:
            begin = round(start * RATE)
            part = shape(np.linspace(0, 1, size, dtype=np.float32))[: self.samples - begin]
            envelope[begin : begin + len(part)] = part
            start += every * (1 + self.uniform(-jitter, jitter))
        return envelope


def _loud(wave: NDArray[np.floating]) -> Wave:
    return (wave / max(1e-6, float(np.abs(wave).max()))).astype(np.float32)


def _decay(part: Wave) -> Wave:
    return np.asarray(np.exp(-6 * part))


def _hill(part: Wave) -> Wave:
    return np.asarray(np.sin(np.pi * part))


def _block(part: Wave) -> Wave:
    return np.asarray(np.minimum(1, np.minimum(part, 1 - part) * 30))


def _steady(source: Source, pitch: float) -> Wave:
    return np.full(source.samples, pitch, np.float32)


def tone(source: Source) -> Wave:
    """One steady pitch, plain or with overtones."""
    return source.voice(
        _steady(source, source.pitch(150, 1800)), source.rng.choice((1, 1, 3, 6)), source.uniform(1, 2)
    )


def chord(source: Source) -> Wave:
    """Three notes at once, of a major or a minor key, or four with a seventh."""
    root, harmonics, fall = source.pitch(180, 550), source.rng.choice((1, 3, 5)), source.uniform(1.2, 2)
    notes = [root * 2 ** (step / 12) for step in source.rng.choice(_CHORDS)]
    wave = np.sum([source.voice(_steady(source, note), harmonics, fall) for note in notes], 0)
    ringing = np.exp(-source.uniform(0, 1.5) * source.time) if source.rng.random() < 0.6 else 1
    return np.asarray(wave * ringing)


def melody(source: Source) -> Wave:
    """Notes one after another."""
    length, wave = source.uniform(0.15, 0.4), np.zeros(source.samples, np.float32)
    root, scale = source.pitch(200, 500), (0, 2, 4, 5, 7, 9, 11, 12)
    per = round(length * RATE)
    frequency = np.zeros(source.samples, np.float32)
    last = -1
    for start in range(0, source.samples, per):
        last = source.rng.choice([step for step in scale if step != last])
        frequency[start : start + per] = root * 2 ** (last / 12)
    wave = source.voice(frequency, source.rng.choice((1, 3, 5)), 1.5)
    return wave * np.exp(-3 * ((source.time % length) / length))


def sweep_up(source: Source) -> Wave:
    """A pitch that glides upwards."""
    low = source.pitch(150, 600)
    return source.voice(low * 2 ** (source.uniform(1, 2.5) * source.time / source.time[-1]), 2, 1.5)


def sweep_down(source: Source) -> Wave:
    """A pitch that glides downwards."""
    high = source.pitch(700, 2500)
    return source.voice(high * 2 ** (-source.uniform(1, 2.5) * source.time / source.time[-1]), 2, 1.5)


def siren(source: Source) -> Wave:
    """A pitch that rises and falls again and again."""
    swing = np.sin(2 * np.pi * source.uniform(0.7, 2.5) * source.time + source.uniform(0, 6))
    return source.voice(source.pitch(500, 1100) * 2 ** (source.uniform(0.3, 0.6) * swing), 4, 1.2)


def alarm(source: Source) -> Wave:
    """Beeps of one pitch."""
    every = source.uniform(0.2, 0.7)
    envelope = source.bursts(every, every * source.uniform(0.3, 0.6), _block)
    return source.voice(_steady(source, source.pitch(600, 2500)), 3, 1.3) * envelope


def bell(source: Source) -> Wave:
    """Struck metal: overtones that are no multiples, dying away."""
    pitch, wave = source.pitch(250, 1100), np.zeros(source.samples, np.float32)
    for ratio, loud, fall in (
        (0.5, 0.6, 1),
        (1, 1, 1.3),
        (1.19, 0.6, 2),
        (1.56, 0.5, 3),
        (2, 0.7, 3.5),
        (2.74, 0.4, 5),
    ):
        wave += loud * np.sin(2 * np.pi * pitch * ratio * source.time) * np.exp(-fall * 1.2 * source.time)
    return wave


def drum(source: Source) -> Wave:
    """Low thumps."""
    every, wave = source.uniform(0.25, 0.7), np.zeros(source.samples, np.float32)
    pitch, length = source.pitch(60, 120), round(0.22 * RATE)
    part = np.arange(length, dtype=np.float32) / RATE
    hit = np.sin(2 * np.pi * (pitch * part + 1.2 * (1 - np.exp(-part * 30)))) * np.exp(-part * 18)
    for start in range(round(source.uniform(0, 0.2) * RATE), source.samples, round(every * RATE)):
        wave[start : start + length] += hit[: source.samples - start]
    return wave


def clock(source: Source) -> Wave:
    """Short dry ticks."""
    envelope = source.bursts(source.uniform(0.3, 1.0), source.uniform(0.006, 0.015), _decay)
    return source.hiss(0, source.uniform(1000, 2500), source.uniform(4000, 7500)) * envelope


def noise(source: Source) -> Wave:
    """A steady hiss."""
    return source.hiss(source.uniform(0, 0.4))


def rain(source: Source) -> Wave:
    """Many drops at random upon a soft hiss."""
    drops = source.noise.random(source.samples) < source.uniform(0.002, 0.008)
    kernel = np.exp(-np.arange(200) / source.uniform(15, 40)) * np.sin(
        np.arange(200) * source.uniform(0.8, 2.0)
    )
    hits = np.convolve(drops * source.noise.standard_normal(source.samples), kernel)[: source.samples]
    return _loud(hits) + 0.12 * source.hiss(0.2, 800)


def wind(source: Source) -> Wave:
    """Low noise that swells."""
    swell = 0.35 + np.abs(np.sin(2 * np.pi * source.uniform(0.15, 0.5) * source.time + source.uniform(0, 6)))
    return source.hiss(source.uniform(0.9, 1.4), 20, source.uniform(600, 1500)) * swell


def engine(source: Source) -> Wave:
    """A low rattle with many overtones."""
    pitch = source.pitch(35, 90) * (1 + 0.05 * np.sin(2 * np.pi * source.uniform(0.2, 1) * source.time))
    rattle = 1 + 0.3 * source.hiss(1, 20, 400)
    return np.asarray(source.voice(pitch.astype(np.float32), 24, 0.8) * rattle + 0.3 * source.hiss(1))


def bird(source: Source) -> Wave:
    """Quick high chirps."""
    every, length = source.uniform(0.15, 0.45), source.uniform(0.06, 0.14)
    envelope = source.bursts(every, length, _hill, 0.3)
    bend = 1 + source.uniform(0.1, 0.35) * np.sin(2 * np.pi * source.uniform(6, 18) * source.time)
    return source.voice((source.pitch(2200, 4500) * bend).astype(np.float32), 1, 1) * envelope


def cricket(source: Source) -> Wave:
    """A very high trill in pulses."""
    pulses = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * source.uniform(25, 45) * source.time))
    envelope = source.bursts(source.uniform(0.35, 0.8), source.uniform(0.15, 0.3), _block) * pulses
    return source.voice(_steady(source, source.pitch(4200, 5600)), 1, 1) * envelope


def frog(source: Source) -> Wave:
    """Low croaks: a buzz broken into pulses."""
    pulses = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * source.uniform(22, 40) * source.time))
    envelope = source.bursts(source.uniform(0.5, 1.0), source.uniform(0.2, 0.4), _hill, 0.1) * pulses
    return source.voice(_steady(source, source.pitch(180, 420)), 8, 0.6) * envelope


def dog(source: Source) -> Wave:
    """Short rough barks."""
    envelope = source.bursts(source.uniform(0.35, 0.9), source.uniform(0.12, 0.22), _hill, 0.25)
    bark = source.voice((source.pitch(260, 600) * (1 + 0.35 * envelope)).astype(np.float32), 10, 0.7)
    return (_loud(bark) + 0.7 * source.hiss(0.5, 400, 3500)) * envelope


def cat(source: Source) -> Wave:
    """Drawn-out cries that rise and fall."""
    envelope = source.bursts(source.uniform(0.9, 1.5), source.uniform(0.5, 0.9), _hill, 0.1)
    return (
        source.voice((source.pitch(420, 750) * (0.75 + 0.5 * envelope)).astype(np.float32), 9, 0.9) * envelope
    )


def bee(source: Source) -> Wave:
    """A buzz that wanders."""
    wander = 1 + 0.06 * np.sin(2 * np.pi * source.uniform(2, 6) * source.time) + 0.02 * source.hiss(1, 20, 60)
    return source.voice((source.pitch(160, 260) * wander).astype(np.float32), 18, 0.5)


def silence(source: Source) -> Wave:
    """Nothing, or next to nothing."""
    return source.hiss() * source.uniform(0, 0.002)


SOUNDS: dict[str, Callable[[Source], Wave]] = {
    "alarm": alarm, "bee": bee, "bell": bell, "bird": bird, "cat": cat, "chord": chord, "clock": clock,
    "cricket": cricket,
    "dog": dog, "drum": drum, "engine": engine, "frog": frog, "melody": melody,
    "noise": noise, "rain": rain, "silence": silence, "siren": siren,
    "sweep down": sweep_down, "sweep up": sweep_up, "tone": tone, "wind": wind,
}  # fmt: skip


@cache
def names() -> tuple[str, ...]:
    """The names of the sounds, in alphabetical order."""
    return tuple(sorted(SOUNDS))


def sound(rng: random.Random, split: Split, name: str | None = None) -> tuple[Wave, str]:
    """A sound of one to three seconds within -1 and 1, at any loudness, some with a little noise; and its
    name."""
    name = name or rng.choice(names())
    source = Source(rng, split, rng.uniform(1.2, LONGEST))
    wave = SOUNDS[name](source)
    if name == "silence":
        return wave, name
    wave = _loud(wave)
    if rng.random() < 0.7:
        loudness = float(np.sqrt(np.mean(wave**2)))
        background = source.hiss(rng.uniform(0, 0.8))
        background *= loudness / float(np.sqrt(np.mean(background**2))) * 10 ** (-rng.uniform(12, 40) / 20)
        wave = wave + background
    return _loud(wave) * 10 ** (-rng.uniform(0, 22) / 20), name
