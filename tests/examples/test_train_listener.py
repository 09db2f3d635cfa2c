"""What starter-listener hears is what was said, and its trainer writes a folder that loads."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from transformers import WhisperForConditionalGeneration

from examples.train_starters import listener
from examples.train_starters.fitting import Fitting
from examples.train_starters.listener_batches import IGNORED, LETTERS, batches, mixed
from examples.train_starters.listener_card import ROWS, Listener, conditions, finish
from examples.train_starters.listener_data import rooms, sentences, speech, voices


def draw(rng: random.Random) -> tuple[str, voices.Voice]:
    return sentences.sentence(rng), voices.Voice("en-us", 50, 150)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> speech.Speech:
    """Tones in the place of voices, as the suite runs where espeak-ng is not installed."""
    folder = tmp_path_factory.mktemp("speech")
    time = np.arange(12_000) / voices.RATE
    tone = (8000 * np.sin(2000 * time)).astype(np.int16)
    return speech.fill(folder, 12, draw, lambda text, spoken_by: tone)


def test_a_seed_always_says_the_same_and_sides_share_no_wording():
    said = [sentences.sentence(random.Random(at)) for at in range(50)]
    assert said == [sentences.sentence(random.Random(at)) for at in range(50)]
    assert all(text[0].isupper() or text[0].isdigit() or text.islower() for text in said)
    assert not set(voices.VARIANTS) & set(voices.NEW_VARIANTS)
    assert not set(voices.ACCENTS) & set(voices.NEW_ACCENTS)


@pytest.mark.parametrize(
    ("wanted", "said", "errors"),
    [("How are you?", "how are you", 0), ("a b c", "a c", 1), ("a b", "a x b y", 2), ("", "hm", 1)],
)
def test_word_errors_are_counted(wanted, said, errors):
    assert sentences.word_errors(wanted, said) == (errors, len(wanted.split()))


def test_numbers_are_spelt_as_they_sound():
    assert sentences.letters("What's 42 minus 7?") == "whats forty two minus seven"
    assert sentences.letters("100, 60 or 13.") == "one hundred sixty or thirteen"
    assert set(sentences.letters("It's Ümit: 5!")) <= set(LETTERS)


def test_resampling_keeps_a_tone_and_trimming_cuts_silence():
    tone = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050).astype(np.float32)
    again = voices.resampled(tone, 22_050)
    assert np.abs(np.fft.rfft(again)).argmax() == 440
    silent = np.concatenate([np.zeros(5000), 1000 * tone, np.zeros(5000)]).astype(np.float32)
    assert len(voices.trimmed(silent)) < len(tone) + 2000
    assert len(voices.trimmed(np.zeros(9, np.float32))) == 0


def test_speech_goes_on_where_it_was(spoken, tmp_path):
    sound = np.ones(20_000, np.int16)
    first = speech.fill(tmp_path / "s", 2, draw, lambda text, spoken_by: sound)
    again = speech.fill(tmp_path / "s", 4, draw, lambda text, spoken_by: sound)
    assert [one.start for one in again.spoken] == [0, 20_000, 40_000, 60_000]
    assert again.spoken[:2] == first.spoken
    assert again.samples(3).max() == 1 / 32768


def test_noise_is_as_loud_as_asked():
    generator = torch.Generator().manual_seed(0)
    wave = torch.sin(torch.arange(16_000) / 5)[None]
    noise = rooms.colored_noise(1, 16_000, generator)
    added = rooms.add_noise(wave, torch.tensor([20.0]), noise) - wave
    ratio = 10 * torch.log10(wave.square().mean() / added.square().mean())
    assert float(ratio) == pytest.approx(20, abs=0.1)
    assert rooms.in_room(wave, torch.tensor([0.3]), generator).shape == wave.shape
    assert rooms.hum(1, 160, generator).square().mean() == pytest.approx(1, abs=0.01)


def test_some_rows_are_silent_and_have_no_text(spoken):
    heard = mixed(spoken, [0] * 200, random.Random(1), False)
    assert 1 <= heard.texts.count("") <= 40
    assert float(heard.waves.abs().max()) <= 1
    assert set(conditions(spoken.samples(0), 5)) > {"quiet"}


def test_a_window_cut_short_gives_the_states_of_the_whole_model(tmp_path):
    known = listener.processor(tmp_path / "p", 300, 330)
    model: Any = WhisperForConditionalGeneration(listener.config(known.tokenizer, 32, 1, 1)).eval()
    features = torch.randn(1, listener.MELS, 2 * listener.POSITIONS)
    with torch.inference_mode():
        assert torch.equal(listener.encode(model, features), model.model.encoder(features).last_hidden_state)


def test_a_few_steps_write_a_folder_that_loads_and_writes_down(spoken, tmp_path):
    plan = listener.plan(tmp_path / "out", tmp_path / "work", steps=2, device="cpu", autocast=False)
    known = listener.processor(plan.work / "p", 300, 330)
    model: Any = WhisperForConditionalGeneration(listener.config(known.tokenizer, 32, 1, 1))
    fitting = Fitting(
        plan,
        listener.Taught(model),
        listener.loss,
        lambda at: batches(known, spoken, 0, at, rows=4, number=2),
    )
    fitting.run()
    listener.export(plan.out, model, known)
    assert len(Listener(plan.out)([spoken.samples(0)])) == 1
    finish(plan.out, dict.fromkeys(ROWS, spoken), fitting.facts() | {"sentences": 12}, 400)
    assert "# starter-listener" in (plan.out / "README.md").read_text(encoding="utf-8")


def test_labels_teach_the_text_and_the_end(spoken, tmp_path):
    known = listener.processor(tmp_path / "p", 300, 330)
    batch = next(batches(known, spoken, 0, 0, rows=4, number=1))
    row = [one for one in batch["labels"][0].tolist() if one != IGNORED]
    start, plain = known.tokenizer.prefix_tokens
    assert row[:2] == [start, plain]
    settings: Any = listener.generation(known.tokenizer, listener.config(known.tokenizer))
    assert settings.no_timestamps_token_id == plain
