"""Omni models say their answers in their own voice: the words as ever, then a sound equal to `generate`'s."""

import pickle
from functools import lru_cache
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest

from inference_chat.errors import InvalidModel, InvalidRequest, UnsupportedTask
from inference_chat.events import AudioReady, Event, Finished, Progress
from inference_chat.media import open_sound
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.omni import SAYING, SILENT, OmniRunner
from inference_chat.schema import Message
from inference_chat.tasks import Task

from .chat_families import qwen2_5_omni
from .omni_families import SPEAKING, qwen2_5_omni_voiced
from .tiny_media import conversation, events, open_runner, picture, request, result, says, tone

ASKED = "what is heard?"


@pytest.fixture(scope="module", params=SPEAKING)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SPEAKING[request.param](tmp_path_factory.mktemp("tiny") / request.param)


@pytest.fixture(scope="module")
def voiced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen2_5_omni_voiced(tmp_path_factory.mktemp("tiny") / "omni")


@lru_cache(maxsize=2)
def opened(folder: Path) -> OmniRunner:
    runner = open_runner(folder)
    assert isinstance(runner, OmniRunner)
    return runner


def asked(place: Path, speak: bool = True, **options: Any) -> Any:
    spoken = {"speak": True} if speak else {}
    return request(Task.ANY_TO_ANY, tone(place), prompt=ASKED, max_tokens=4, **spoken, **options)


def wave(told: list[Event]) -> Any:
    (made,) = [one for one in told if isinstance(one, AudioReady)]
    assert made.rate == 24_000
    return open_sound(made.audio.data).mono


def test_the_sound_is_that_of_generate(folder: Path, tmp_path: Path):
    import torch

    runner: Any = opened(folder)
    sound = tone(tmp_path)
    told = events(runner, asked(tmp_path))
    turn = [{"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": ASKED}]}]
    text = runner._processor.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    heard = open_sound(sound.read()).mono
    inputs = runner._processor(text=[text], return_tensors="pt", audio=[heard], sampling_rate=16000)
    ends = {"talker_eos_token_id": [60, 62]} if hasattr(runner._whole, "token2wav") else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _, made = runner._whole.generate(
            **inputs,
            speaker=next(iter(runner._voices.values())),
            generation_mode="audio",
            thinker_max_new_tokens=4,
            thinker_do_sample=False,
            talker_max_new_tokens=380,
            **ends,
        )
    expected = made.reshape(-1).numpy()
    assert len(expected) > 100
    np.testing.assert_allclose(wave(told), expected, atol=1e-4)


def test_the_words_are_those_of_a_silent_answer(folder: Path, tmp_path: Path):
    runner = opened(folder)
    told = events(runner, asked(tmp_path))
    kinds = [type(one) for one in told if not isinstance(one, Progress)]
    assert kinds[-2:] == [AudioReady, Finished]
    silent = result(runner, asked(tmp_path, speak=False))
    assert result(runner, asked(tmp_path)).text == silent.text
    assert not [one for one in silent.outcomes if isinstance(one, AudioReady)]


def test_pictures_are_talked_about(folder: Path, tmp_path: Path):
    one = picture(tmp_path)
    turn = conversation(Task.ANY_TO_ANY, says("user", one, ASKED), media=(one,), speak=True, max_tokens=4)
    assert wave(events(opened(folder), turn)).size


def test_words_alone_are_answered_aloud(folder: Path):
    said = [Message(role="user", content="quick jumps vex; " * 40)]  # read in several pieces
    turn = conversation(Task.TEXT_GENERATION, *said, media=(), speak=True, max_tokens=4)
    assert wave(events(opened(folder), turn)).size


def test_voices_differ_and_go_by_their_names(folder: Path, tmp_path: Path):
    runner = opened(folder)
    one, same, other = (
        wave(events(runner, asked(tmp_path, voice=name))) for name in ("Chelsie", "CHELSIE", "Ethan")
    )
    np.testing.assert_array_equal(one, same)
    assert one.shape != other.shape or not np.allclose(one, other)


def test_an_unknown_voice_is_refused_with_those_there_are(folder: Path, tmp_path: Path):
    with pytest.raises(InvalidRequest, match=r"(?i)chelsie"):
        events(opened(folder), asked(tmp_path, voice="alloy"))


def test_a_seed_says_it_another_way(folder: Path, tmp_path: Path):
    one, other = (wave(events(opened(folder), asked(tmp_path, seed=seed))) for seed in (1, 2))
    assert one.shape != other.shape or not np.allclose(one, other)


def test_a_voice_that_finds_nothing_to_say_says_so(tmp_path: Path):
    """A talker may end with its first code."""
    runner = open_runner(qwen2_5_omni_voiced(tmp_path / "omni", codes=1))
    told = [events(runner, asked(tmp_path, seed=seed)) for seed in range(8)]
    silent = [one for one in told if not any(isinstance(event, AudioReady) for event in one)]
    assert 0 < len(silent) < 8
    for one in silent:
        assert isinstance(one[-1], Finished)
        assert one[-1].notes == (SILENT,)


def test_a_stop_while_it_speaks_ends_it(folder: Path, tmp_path: Path):
    runner, stop = opened(folder), Flag()
    told: list[Event] = []
    for event in runner.run(asked(tmp_path, seed=5), stop):
        told.append(event)
        if event == SAYING:
            stop.set()
    assert SAYING in told
    assert isinstance(told[-1], Finished)
    assert told[-1].finish_reason == "cancelled"
    assert not [one for one in told if isinstance(one, AudioReady)]
    assert wave(events(runner, asked(tmp_path))).size


def test_two_that_speak_at_once_sound_as_each_alone(folder: Path, tmp_path: Path):
    runner = opened(folder)
    both = [asked(tmp_path, voice="Ethan"), asked(tmp_path, seed=3)]
    alone = [wave(events(runner, one)) for one in both]
    told: list[list[Event]] = [[], []]
    runs = [runner.run(one, Flag()) for one in both]
    going = [0, 1]
    while going:
        for place in list(going):
            try:
                told[place].append(next(runs[place]))
            except StopIteration:
                going.remove(place)
    for events_of_one, expected in zip(told, alone, strict=True):
        np.testing.assert_allclose(wave(events_of_one), expected, atol=1e-4)


def test_what_is_called_before_it_ends_says_nothing(folder: Path, tmp_path: Path):
    """Whoever leaves while it speaks leaves the model ready for others."""
    runner: Any = opened(folder)
    run = runner.run(asked(tmp_path, seed=5), Flag())
    while next(run) != SAYING:
        pass
    run.close()
    assert runner._lane.holder is None
    assert wave(events(runner, asked(tmp_path))).size


# --- what the files have --------------------------------------------------------------------------


def test_weights_of_a_voice_are_told_and_counted(voiced: Path, tmp_path: Path):
    checkpoint = inspect(voiced)
    parts = checkpoint.tensors.parts
    assert set(parts) == {"thinker", "talker", "token2wav"}
    assert sum(parts.values()) == checkpoint.tensors.elements
    narrow, wide = (OmniRunner.estimate(checkpoint, size) for size in (2, 4))
    assert narrow - 2 * parts["token2wav"] < wide < 2 * narrow
    assert checkpoint.cached_elements > 0
    assert "Voice" in OmniRunner.abilities(checkpoint)
    assert "Voice" not in OmniRunner.abilities(inspect(qwen2_5_omni(tmp_path / "mute")))


def test_in_bfloat16_the_wave_is_made_in_float32(voiced: Path, tmp_path: Path):
    import torch

    runner: Any = open_runner(voiced, "bfloat16")
    assert runner._whole.talker.dtype == torch.bfloat16
    assert runner._whole.token2wav.dtype == torch.float32
    assert wave(events(runner, asked(tmp_path))).size


def changed(voiced: Path, place: Path, **config: Any) -> Path:
    import json
    import shutil

    folder = place / "changed"
    shutil.copytree(voiced, folder)
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(told | config))
    return folder


def test_a_config_that_wants_no_voice_is_heeded(voiced: Path, tmp_path: Path):
    runner = open_runner(changed(voiced, tmp_path, enable_audio_output=False))
    assert not runner.speaks
    assert result(runner, asked(tmp_path, speak=False)).text


def test_a_config_that_allows_a_voice_needs_none(tmp_path: Path):
    mute = qwen2_5_omni(tmp_path / "mute")
    runner = open_runner(changed(mute, tmp_path, enable_audio_output=True))
    assert not runner.speaks
    assert result(runner, asked(tmp_path, speak=False)).text


def test_without_its_voices_it_writes_and_says_what_is_missing(voiced: Path, tmp_path: Path):
    folder = changed(voiced, tmp_path)
    (folder / "spk_dict.pt").unlink()
    runner = open_runner(folder)
    assert result(runner, asked(tmp_path, speak=False)).text
    with pytest.raises(UnsupportedTask, match=r"spk_dict\.pt is missing"):
        events(runner, asked(tmp_path))


class Trap:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("sprung"),))


def test_a_file_of_voices_runs_nothing(voiced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    folder = changed(voiced, tmp_path)
    (folder / "spk_dict.pt").write_bytes(pickle.dumps({"Ethan": Trap()}))
    with pytest.raises(InvalidModel, match="more than voices"):
        open_runner(folder)
    assert not Path("sprung").exists()


@pytest.mark.parametrize("content", [[1], {"Ethan": 1}, {"Ethan": {"cond": 1}}], ids=str)
def test_a_file_of_voices_has_voices(voiced: Path, tmp_path: Path, content: Any):
    import torch

    folder = changed(voiced, tmp_path)
    torch.save(content, folder / "spk_dict.pt")
    with pytest.raises(InvalidModel, match="holds no voices"):
        open_runner(folder)


def test_a_text_that_is_gone_on_with_is_not_said(voiced: Path):
    plain = request(Task.TEXT_GENERATION, prompt="Once upon a time", speak=True)
    with pytest.raises(InvalidRequest, match="give `messages`"):
        events(opened(voiced), plain)


@pytest.mark.parametrize("more", [{"n": 2}, {"echo": True}], ids=str)
def test_one_answer_is_said(voiced: Path, tmp_path: Path, more: dict[str, Any]):
    with pytest.raises(ValueError, match="one answer is said"):
        asked(tmp_path, **more)
