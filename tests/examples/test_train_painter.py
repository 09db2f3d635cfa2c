"""The judge reads pictures as they are, and starter-painter's trainer writes a pipeline that loads."""

import dataclasses
import json
import random
import re

import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from PIL import Image
from safetensors.torch import load_file

from examples.train_starters import card, painter
from examples.train_starters.painter_batches import WINDOW, paint_batches
from examples.train_starters.painter_card import wishes
from examples.train_starters.painter_truth import FACTS, FINE, KINDS, THINGS, Heads, alike, cells, told
from examples.train_starters.painter_words import otherwise
from examples.train_starters.painter_world import SIDE, Wish, fulfilled, read, wished
from examples.train_starters.shapes_world import render, stream

# diffusers' DPM-Solver makes arrays of tensors in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

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
        assert f"on {scene.background.colour}" in said or f"{scene.background.colour} background" in said


def test_what_is_not_said_may_be_as_it_likes():
    scene, wish = wished(stream("test", 5), "test", 1.0)
    seen = read(render(scene))
    assert fulfilled(dataclasses.replace(wish, ground="", relation=""), *seen)
    assert dataclasses.replace(wish, ground="", relation="").said().count(" and ") == 1


@pytest.mark.parametrize("relation", ["left of", "right of", "above", "below"])
def test_other_words_say_the_same(relation):
    """Whichever is said first and however, a reader of the sentence knows what is left of, or above, what."""
    first, second = "red circle", "blue square"
    forward, back = (first, second) if relation in ("left of", "above") else (second, first)
    for at in range(80):
        said = otherwise((first, second), relation, "", random.Random(at))
        one, other = sorted((first, second), key=said.index)
        earlier = any(word in said for word in ("left", "above", "over", "on top", "higher"))
        beside = re.search(r"\bits?\b|on the (left|right)(?! of)", said) is not None
        assert ((one, other) == (forward, back)) == (earlier != beside), said


def test_a_wish_and_its_opposite_are_the_same_facts():
    one = Wish(("small red circle", "blue square"), "left of", "white")
    other = Wish(("blue square", "small red circle"), "right of", "white")
    assert told(one) == told(other) != told(dataclasses.replace(one, relation="right of"))
    assert all(0 <= answer < answers for answer, answers in zip(told(one), FACTS, strict=True))


def test_cells_tell_what_covers_them():
    scene, _ = wished(stream("test", 3), "test", 1.0)
    shares = cells(scene).float()
    assert shares.shape == (KINDS, FINE, FINE)
    assert torch.allclose(shares.sum(0), torch.ones(FINE, FINE), atol=1e-2)
    for thing in scene.objects:
        place = shares[:, int(thing.y / SIDE * FINE), int(thing.x / SIDE * FINE)]
        assert place.argmax() == told(Wish((thing.name,), "", ""))[0]


@pytest.mark.parametrize("fine", [FINE, SIDE])
def test_small_things_weigh_as_much_as_large_ones(fine):
    scene, wish = wished(stream("test", 3), "test", 1.0)
    one, other = (told(Wish((name,), "", ""))[0] for name in wish.things)
    shares = torch.zeros(2, KINDS, fine, fine)
    shares[0, one, :2, :2], shares[1, other, 3 : fine - 3, 3 : fine - 3] = 1, 1
    small, large = alike(shares)
    assert small.sum() == pytest.approx(float(large.sum())) == pytest.approx(THINGS * fine**2)
    assert small[5:, 5:].sum() == large[0].sum() == 0
    both = alike(cells(scene, fine)[None])
    assert float(both.sum()) == pytest.approx(2 * THINGS * fine**2, rel=0.05)


def test_the_decoder_goes_on_alone(tmp_path):
    coder = painter.autoencoder(TINY)
    before = {name: tensor.clone() for name, tensor in coder.state_dict().items()}
    painter.train_decoder(painter.plan(tmp_path, tmp_path, steps=2), coder)
    changed = {name for name, tensor in coder.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(name.startswith(("decoder", "post_quant_conv")) for name in changed)


def test_the_heads_are_content_with_the_truth():
    heads, facts = Heads(KINDS, sum(FACTS)), torch.tensor([told(Wish(("red star",), "", "pink"))])
    truth = torch.zeros(1, KINDS, FINE, FINE)
    truth[:, 7] = 1
    with torch.no_grad():
        heads.coarse.weight.copy_(torch.eye(KINDS)[..., None, None])
        heads.fine.weight.copy_(torch.eye(KINDS)[..., None, None])
        right = heads.seen(50 * truth[..., :8, :8], 50 * truth, truth)
        wrong = heads.seen(50 * truth.roll(1, 1)[..., :8, :8], 50 * truth, truth)
    assert right < 0.1 < wrong
    states = torch.randn(1, 4, sum(FACTS))
    since = torch.tensor([[False, False, True, True]])
    before = states.clone()
    states[:, :2] = 0
    assert torch.equal(heads.read(states, since, facts), heads.read(before, since, facts))


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


def test_the_heads_are_left_behind(folder):
    kept = [name for file in card.weights(folder / "out") for name in load_file(file)]
    assert kept
    assert not any("heads" in name for name in kept)


def test_prompts_fit_the_window(folder):
    known = painter.tokenizer(folder / "work" / "tokenizer")
    asked = [said for kind in ("two", "other") for said, _ in wishes("test", kind, 300)]
    assert max(len(known(said).input_ids) for said in asked) < WINDOW
    assert not any(known.unk_token in known.tokenize(said) for said in asked)


def test_scenes_come_again_in_other_words(folder):
    plan = painter.plan(folder / "out", folder / "work")
    coder = painter.autoencoder(TINY)
    known = painter.tokenizer(folder / "work" / "tokenizer")
    first, *_, last = paint_batches(plan, coder, known, 1.0, 0, size=8, number=1)
    order = [
        int((first["latents"] - one).abs().flatten(1).sum(1).argmin()) for one in last["latents"].unbind()
    ]
    assert sorted(order) == list(range(8))
    assert torch.equal(first["cells"][order], last["cells"])
    assert not torch.equal(first["ids"][order], last["ids"])


def test_training_goes_on_from_a_folder(folder):
    plan = painter.plan(folder / "again", folder / "work2", steps=1, rate=0.0)
    fitting = painter.train(plan, start=folder / "out", wishes=1)
    configs = [json.loads(file.read_text(encoding="utf-8")) for file in plan.out.glob("*/config.json")]
    assert len(configs) == 3
    assert not any("_name_or_path" in config for config in configs)  # a folder of this machine
    assert fitting.step == 1
    training = json.loads((folder / "again" / "eval.json").read_text(encoding="utf-8"))["training"]
    assert (training["steps"], training["goes"]) == (3, 2)
