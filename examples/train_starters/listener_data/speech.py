"""Spoken sentences kept on disk, so that a training does not wait for espeak-ng."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.train_starters.listener_data.sentences import KINDS, sentence
from examples.train_starters.listener_data.voices import RATE, Voice, render, voice

LONGEST = 5.6


@dataclass(frozen=True)
class Spoken:
    """One sentence and where its samples lie."""

    text: str
    voice: str
    start: int
    length: int


class Speech:
    """Rendered sentences: `index.jsonl` and 16-bit samples at 16 kHz in `samples.i16`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        lines = (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()
        self.spoken = [Spoken(**json.loads(line)) for line in lines]
        self._samples = np.memmap(folder / "samples.i16", np.int16, "r")

    def __len__(self) -> int:
        return len(self.spoken)

    def samples(self, at: int) -> NDArray[np.float32]:
        """The samples of one sentence, within -1 and 1."""
        one = self.spoken[at]
        return (self._samples[one.start : one.start + one.length] / np.float32(32768)).astype(np.float32)


Draw = Callable[[random.Random], tuple[str, Voice]]
Say = Callable[[str, Voice], NDArray[np.int16]]


def fill(folder: Path, number: int, draw: Draw, say: Say = render) -> Speech:
    """Renders what is missing up to `number` sentences; the sentence with number n depends on n alone."""
    folder.mkdir(parents=True, exist_ok=True)
    index, samples = folder / "index.jsonl", folder / "samples.i16"
    index.touch()
    samples.touch()
    have = [Spoken(**json.loads(line)) for line in index.read_text(encoding="utf-8").splitlines()]
    end = have[-1].start + have[-1].length if have else 0
    with index.open("a", encoding="utf-8") as lines, samples.open("r+b") as sounds:
        sounds.seek(2 * end)
        for at in range(len(have), number):
            text, spoken_by, sound = _short_enough(random.Random(f"{folder.name}/{at}"), draw, say)
            sounds.write(sound.tobytes())
            sounds.flush()
            one = Spoken(text, spoken_by.name, end, len(sound))
            lines.write(json.dumps(asdict(one)) + "\n")
            lines.flush()
            end += len(sound)
    return Speech(folder)


def _short_enough(rng: random.Random, draw: Draw, say: Say) -> tuple[str, Voice, NDArray[np.int16]]:
    while True:
        text, spoken_by = draw(rng)
        sound = say(text, spoken_by)
        if 0 < len(sound) <= LONGEST * RATE:
            return text, spoken_by, sound


def for_training(rng: random.Random) -> tuple[str, Voice]:
    """A sentence in a wording for training, by a voice for training."""
    return sentence(rng), voice(rng)


def new_voice(rng: random.Random) -> tuple[str, Voice]:
    """A sentence in a wording for training, by a voice that training never hears."""
    return sentence(rng, kind=rng.choice(KINDS[:-1])), voice(rng, "test")


def new_accent(rng: random.Random) -> tuple[str, Voice]:
    """The same in an accent that training never hears."""
    return sentence(rng, kind=rng.choice(KINDS[:-1])), voice(rng, "test", new_accent=True)


def new_wording(rng: random.Random) -> tuple[str, Voice]:
    """A sentence in a wording that training never hears, by a new voice."""
    return sentence(rng, "test", kind=rng.choice(KINDS[:-1])), voice(rng, "test")


TESTS: dict[str, Draw] = {"new_voice": new_voice, "new_accent": new_accent, "new_wording": new_wording}
