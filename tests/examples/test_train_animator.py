"""The judge reads true clips right, and starter-animator's trainer writes a pipeline that films."""

import dataclasses
import random
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from examples.train_starters import animator, card, painter
from examples.train_starters.animator_card import Judge, figures
from examples.train_starters.animator_world import FRAMES, MOVES, SIDE, filmed, shows
from examples.train_starters.shapes_world import HELD_OUT, render, render_clip, stream

TINY = animator.Shape(width=32, layers=1, words=32, reads=1)
CODER = painter.Shape(codes=(8, 8, 8))


def true_clips(count):
    films = [filmed(stream("test", at), "test", motion) for at in range(count) for motion in MOVES]
    return [wish for _, wish in films], [render_clip(film) for film, _ in films]


def test_the_judges_find_true_clips_as_asked():
    asked, clips = true_clips(2)
    found = figures(asked, Judge(animator.WATCHING)(asked, clips))
    assert found["thing"] == 1
    assert found["motion"] >= 0.9


def test_the_judge_refuses_what_was_not_asked_for():
    film, wish = filmed(stream("test", 1), "test", "left")
    clip = render_clip(film)
    colour, shape = wish.thing.split()
    other = dataclasses.replace(wish, thing=f"{'blue' if colour != 'blue' else 'red'} {shape}")
    ground = dataclasses.replace(wish, ground="pink" if wish.ground != "pink" else "grey")
    empty = [Image.new("RGB", (SIDE, SIDE), clip[0].getpixel((0, 0)))] * FRAMES
    assert shows(wish, clip)
    assert not shows(other, clip)
    assert not shows(ground, clip)
    assert not shows(wish, empty)
    assert not shows(wish, [*clip[:8], *empty[8:]])


def test_what_vanishes_may_be_missing_but_not_from_the_beginning():
    film, wish = filmed(stream("test", 2), "test", "vanish")
    clip = render_clip(film)
    assert shows(wish, clip)
    assert not shows(wish, [clip[-1]] * FRAMES)


def test_a_prompt_names_thing_motion_and_ground():
    for at, motion in enumerate(MOVES):
        film, wish = filmed(stream("train", at), "train", motion)
        said = wish.said(random.Random(at))
        assert wish.thing in said
        assert any(words in said for words in MOVES[motion])
        assert film.frames[0].scene.background.colour in said


def test_new_combinations_are_new():
    for at in range(20):
        thing = filmed(stream("compositional", at), "compositional")[0].motions[0].thing
        assert (thing.colour, thing.shape) in HELD_OUT


def test_frames_of_a_clip_keep_their_numbers():
    pixels, numbers, _ = animator.films(0, 3, 2, 4)
    rng = stream("train", 3, 0)
    drawn = [filmed(rng, "train")[0] for _ in range(2)]
    for some, which, film in zip(pixels, numbers, drawn, strict=True):
        assert sorted(set(which.tolist())) == which.tolist()
        for frame, at in zip(some, which.tolist(), strict=True):
            shown = Image.fromarray(((frame.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy())
            assert list(shown.getdata()) == list(render(film.frames[at].scene).getdata())


def test_all_frames_are_numbered_as_the_transformer_numbers_them():
    torch.manual_seed(0)
    net = animator.transformer(TINY, 4, 16)
    text: Any = torch.nn.Module()
    made = animator.Animator(text, net)
    noisy, when, words = torch.randn(2, 4, FRAMES, 16, 16), torch.tensor([5, 900]), torch.randn(2, 3, 32)
    given = {"hidden_states": noisy, "timestep": when, "encoder_hidden_states": words}
    plain = net(**given).sample
    with made._numbered(torch.arange(FRAMES).expand(2, -1), 16):
        numbered = net(**given).sample
    with made._numbered(torch.arange(FRAMES).flip(0).expand(2, -1), 16):
        backwards = net(**given).sample
    assert torch.allclose(plain, numbered, atol=1e-5)
    assert not torch.allclose(plain, backwards, atol=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("animator")
    plan = animator.plan(path / "out", path / "work", steps=2)
    animator.train(plan, shape=TINY, coder=CODER, wishes=1)
    return path


def test_the_card_is_of_the_weights_of_all_parts(folder):
    assert len(card.weights(folder / "out")) == 3
    assert card.digest(folder / "out") in (folder / "out" / "eval.json").read_text(encoding="utf-8")


def test_the_folder_films(folder):
    pipeline = DiffusionPipeline.from_pretrained(folder / "out", dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    clip = pipeline("a red circle moving left on yellow", num_inference_steps=2, height=SIDE, width=SIDE)
    assert [frame.size for frame in clip.frames[0]] == [(SIDE, SIDE)] * FRAMES


def test_training_goes_on_from_a_folder(folder):
    plan = animator.plan(folder / "again", folder / "work2", steps=1, rate=0.0)
    fitting = animator.train(plan, start=folder / "out", wishes=1)
    assert fitting.step == 1
