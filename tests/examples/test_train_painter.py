"""The judge reads pictures as they are, and starter-painter's trainer writes a pipeline that loads."""

import dataclasses
import random

import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from PIL import Image

from examples.train_starters import card, painter
from examples.train_starters.painter_world import SIDE, fulfilled, read, wished
from examples.train_starters.shapes_world import render, stream

TINY = painter.Shape(codes=(8, 8, 8), widths=(32, 32), words=32, layers=1)


@pytest.mark.parametrize("two", [0.0, 1.0])
def test_the_judge_reads_true_renders_right(two):
    drawn = [wished(stream("test", at), "test", two) for at in range(60)]
    assert sum(fulfilled(wish, *read(render(scene))) for scene, wish in drawn) >= 59


def test_the_judge_refuses_what_was_not_asked_for():
    scene, wish = next(
        drawn
        for drawn in (wished(stream("test", at), "test", 1.0) for at in range(99))
        if drawn[1].relation == "above"
    )
    seen = read(render(scene))
    assert not fulfilled(dataclasses.replace(wish, relation="below"), *seen)
    assert not fulfilled(dataclasses.replace(wish, things=wish.things[:1], relation=""), *seen)
    assert not fulfilled(wish, *read(Image.new("RGB", (SIDE, SIDE), "white")))


def test_a_prompt_names_what_the_scene_has():
    for at in range(50):
        scene, wish = wished(stream("train", at), "train", 0.5)
        said = wish.said(random.Random(at))
        assert all(f"{thing.colour} {thing.shape}" in said for thing in scene.objects)
        assert scene.background.colour in said


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("painter")
    painter.train(painter.plan(path / "out", path / "work", steps=2), shape=TINY, wishes=2)
    return path


def test_the_card_is_of_the_weights_of_all_parts(folder):
    assert len(card.weights(folder / "out")) == 3
    assert card.digest(folder / "out") in (folder / "out" / "eval.json").read_text(encoding="utf-8")


def drawn(pipeline, **given):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline("a red circle on yellow", num_inference_steps=2, **given).images[0]


def test_one_folder_draws_changes_and_fills_in(folder):
    before, hole = Image.new("RGB", (SIDE, SIDE), "red"), Image.new("L", (SIDE, SIDE), 255)
    load = {"pretrained_model_name_or_path": folder / "out", "dtype": torch.float32}
    assert drawn(DiffusionPipeline.from_pretrained(**load), height=SIDE, width=SIDE).size == (
        SIDE,
        SIDE,
    )
    assert drawn(StableDiffusionImg2ImgPipeline.from_pretrained(**load), image=before, strength=1.0).size == (
        SIDE,
        SIDE,
    )
    filled = drawn(
        StableDiffusionInpaintPipeline.from_pretrained(**load),
        image=before,
        mask_image=hole,
        height=SIDE,
        width=SIDE,
    )
    assert filled.size == (SIDE, SIDE)


def test_training_goes_on_from_a_folder(folder):
    plan = painter.plan(folder / "again", folder / "work2", steps=1, rate=0.0)
    fitting = painter.train(plan, start=folder / "out", wishes=1)
    assert fitting.step == 1
