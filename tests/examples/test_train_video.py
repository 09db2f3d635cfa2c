"""Clips and their truth turn together, and starter-video's trainer writes a folder that loads."""

import random

import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForVideoClassification

from examples.train_starters import card, video
from examples.train_starters.shapes_world import HELD_OUT, Split, render_clip
from examples.train_starters.video_truth import FRAMES, LABELS, SIDE, example, flow, turned


def of_kind(kind: str, split: Split = "train"):
    return next(film for film, label in (example(split, at) for at in range(300)) if LABELS[label] == kind)


def test_every_motion_occurs_and_is_what_the_clip_shows():
    for at in range(60):
        film, label = example("train", at)
        assert LABELS[label] in {motion.kind for motion in film.motions}
        assert len(film.frames) == FRAMES


def test_what_moves_in_a_new_combination_is_held_out():
    for at in range(20):
        film, label = example("compositional", at)
        movers = [motion.thing for motion in film.motions if motion.kind == LABELS[label]]
        assert any((thing.colour, thing.shape) in HELD_OUT for thing in movers)


def test_flow_says_where_things_go():
    told = flow(of_kind("right"), 4, 8)
    covered = told[told[..., 0] > 0]
    moving = covered[abs(covered[:, 4]) > 0.05]
    assert len(moving)
    assert (moving[:, 4] > 0).all()
    assert abs(moving[:, 5]).max() < 1e-4


def test_flow_does_not_depend_on_the_resolution():
    small, large = (flow(example("train", 3, pixels)[0], 4, 8)[..., 0].mean() for pixels in (SIDE, 3 * SIDE))
    assert abs(small - large) < 0.1


@pytest.mark.parametrize("seed", range(6))
def test_a_turned_clip_has_the_flow_of_its_new_label(seed):
    film = of_kind("left")
    pixels, told = video.pixels([film])[0], torch.from_numpy(flow(film, 4, 8))
    _, flowing, label = turned(pixels, told, LABELS.index("left"), random.Random(seed))
    sideways = flowing[..., 4].sum()
    assert LABELS[label] == ("right" if sideways > 0 else "left")


def test_the_trainer_writes_a_model_that_loads_and_a_card_of_its_weights(tmp_path):
    plan = video.plan(tmp_path / "out", tmp_path / "work", steps=2)
    video.train(plan, hidden=32, layers=1, clips=12)
    processor = AutoImageProcessor.from_pretrained(tmp_path / "out")
    model, info = AutoModelForVideoClassification.from_pretrained(
        tmp_path / "out", dtype=torch.float32, output_loading_info=True
    )
    frames = render_clip(example("test", 0, pixels=80)[0])
    assert model(**processor(frames, return_tensors="pt")).logits.shape == (1, len(LABELS))
    assert not info["missing_keys"]
    assert card.digest(tmp_path / "out") in (tmp_path / "out" / "eval.json").read_text(encoding="utf-8")


def test_training_goes_on_from_a_folder(tmp_path):
    first = video.train(video.plan(tmp_path / "a", tmp_path / "w1", steps=1), hidden=32, layers=1, clips=12)
    plan = video.plan(tmp_path / "b", tmp_path / "w2", steps=1, rate=0.0)
    again = video.train(plan, start=tmp_path / "a", clips=12)
    name = "model.videomae.encoder.layer.0.output.dense.bias"
    assert torch.allclose(
        first.model.state_dict()[name].half(), again.model.state_dict()[name].half(), atol=1e-3
    )
