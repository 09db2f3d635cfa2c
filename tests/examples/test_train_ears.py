"""Sounds are what their names say, and the trainer writes a folder that loads."""

import random
from itertools import pairwise

import numpy as np
import pytest
import torch

from examples.train_starters import ears
from examples.train_starters.ears_card import Ears
from examples.train_starters.ears_sounds import LONGEST, RATE, SOUNDS, Source, names, sound


@pytest.mark.parametrize("name", names())
def test_every_sound_can_be_played_and_its_seed_makes_it_again(name):
    wave, said = sound(random.Random(5), "train", name)
    assert said == name
    assert RATE <= len(wave) <= LONGEST * RATE
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() <= 1
    assert np.array_equal(wave, sound(random.Random(5), "train", name)[0])


def loudest(wave: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave))


def test_sweeps_go_where_they_say():
    for name, rises in (("sweep up", True), ("sweep down", False)):
        wave = SOUNDS[name](Source(random.Random(1), "train", 2))
        pitches = [loudest(part) for part in np.split(wave, 4)]
        assert all((later > earlier) == rises for earlier, later in pairwise(pitches))


def test_sides_share_no_pitch():
    semitones = {}
    for split in ("train", "test"):
        source = Source(random.Random(0), split, 1)
        found = {round(12 * np.log2(source.pitch(100, 2000) / 55)) % 12 for _ in range(500)}
        semitones[split] = found
    assert semitones["test"] == {2, 7}
    assert not semitones["train"] & semitones["test"]


def test_features_are_those_of_the_extractor():
    for name in ("chord", "rain", "silence"):
        wave, _ = sound(random.Random(2), "train", name)
        wanted = ears.extractor()(wave, sampling_rate=RATE, return_tensors="pt").input_values[0]
        assert torch.allclose(ears.features(wave), wanted, atol=2e-3)


def test_a_few_steps_write_a_folder_that_loads_and_a_card(tmp_path):
    plan = ears.plan(tmp_path / "out", tmp_path / "work", steps=2, device="cpu", autocast=False)
    ears.train(plan, 32, 1, tested=1)
    wave, _ = sound(random.Random(0), "test")
    assert Ears(plan.out)([wave], 2)[0][0] in names()
    assert "# starter-ears" in (plan.out / "README.md").read_text(encoding="utf-8")
