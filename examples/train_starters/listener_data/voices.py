"""espeak-ng's voices: an accent with a variant, a pitch and a speed; some variants and accents are kept
for the test."""

from __future__ import annotations

import io
import random
import subprocess
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.train_starters.questions import Split

RATE = 16_000
ACCENTS = ("en-us", "en-gb", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-gb-x-gbclan")
NEW_ACCENTS = ("en-gb-scotland", "en-us-nyc")
VARIANTS = (
    "", "m1", "m2", "m3", "m4", "m6", "m7", "f1", "f2", "f3", "f5", "Alex", "Alicia", "Andrea", "Andy",
    "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mike", "adam", "anika",
    "antonio", "belinda", "benjamin", "boris", "david", "ed", "edward", "grandma", "iven", "iven2",
    "john", "klatt", "klatt2", "klatt4", "marcelo", "max", "miguel", "norbert", "pablo", "paul",
    "pedro", "quincy", "rob", "robert", "sandro", "steph", "steph3", "travis", "victor", "zac",
)  # fmt: skip
NEW_VARIANTS = (
    "m5", "m8", "f4", "Annie", "Michael", "linda", "steph2", "klatt3", "Mario", "caleb", "shelby",
    "michel",
)  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """How a sentence is spoken: accent and variant, pitch (0 to 99), words a minute."""

    name: str
    pitch: int
    speed: int


def voice(rng: random.Random, split: Split = "train", new_accent: bool = False) -> Voice:
    """A voice of one side of the split; the test's variants are all unseen, its accents where asked for."""
    accent = rng.choice(NEW_ACCENTS if new_accent else ACCENTS)
    variant = rng.choice(VARIANTS if split == "train" else NEW_VARIANTS)
    return Voice(f"{accent}+{variant}" if variant else accent, rng.randint(30, 70), rng.randint(120, 200))


def render(text: str, spoken_by: Voice) -> NDArray[np.int16]:
    """The sentence as 16 kHz mono samples, silence at both ends cut off. Needs the program espeak-ng.

    Raises subprocess.CalledProcessError where espeak-ng refuses.
    """
    command = ["espeak-ng", "-v", spoken_by.name, "-p", str(spoken_by.pitch), "-s", str(spoken_by.speed)]
    run = subprocess.run([*command, "--stdout", text], capture_output=True, check=True)
    with wave.open(io.BytesIO(run.stdout)) as file:
        rate = file.getframerate()
    samples = np.frombuffer(run.stdout[44:], np.int16).astype(np.float32)
    return trimmed(resampled(samples, rate)).clip(-32768, 32767).astype(np.int16)


def resampled(samples: NDArray[np.float32], rate: int, wanted: int = RATE) -> NDArray[np.float32]:
    """The sound at another rate, by cutting or filling its spectrum."""
    length = round(len(samples) * wanted / rate)
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(length // 2 + 1, np.complex64)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return (np.fft.irfft(kept, length) * (length / len(samples))).astype(np.float32)


def trimmed(samples: NDArray[np.float32], quiet: float = 120.0, margin: int = 800) -> NDArray[np.float32]:
    """The part between the first and the last sample that is not nearly silent, with a short margin."""
    loud = np.flatnonzero(np.abs(samples) > quiet)
    if not len(loud):
        return samples[:0]
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]
