"""Questions on scenes have right answers, and starter-vision-chat's trainer writes a folder that talks."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, LlavaForConditionalGeneration
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from examples.train_starters import vision_batches, vision_chat, vision_tower, vision_wordings
from examples.train_starters.chat_data.wording import expand, normalised
from examples.train_starters.questions import KINDS
from examples.train_starters.scene_batches import SIDE
from examples.train_starters.shapes_world import HELD_OUT, WORLD, Background, Scene, Thing, render, stream
from examples.train_starters.vision_looking import look_back, turned
from examples.train_starters.vision_talk import (
    Asking,
    Turn,
    changed,
    described,
    one_picture,
    place_of,
    relates,
    two_pictures,
)
from examples.train_starters.vision_tower import GRID

TINY = vision_chat.Shape(hidden=32, layers=1, heads=1, eye=32, widths=(8, 8, 16))


def thing(colour: str, shape: str, x: float, y: float, size: str = "small") -> Thing:
    return Thing(shape, colour, size, x * SIDE, y * SIDE, 10.0, 0.0, (0, 0, 0))


def scene(*things: Thing) -> Scene:
    return Scene(things, Background("white", "plain", ((248, 248, 248), (230, 230, 230)), 0.0), SIDE, 0.0, 0)


CIRCLE, STAR = thing("red", "circle", 0.8, 0.2), thing("blue", "star", 0.2, 0.8, "large")
BOTH = scene(STAR, CIRCLE)


def answers(kind: str, times: int = 40) -> dict[str, str]:
    asking = Asking(random.Random(kind), "train", WORLD)
    turns = [turn for _ in range(times) for turn in one_picture(asking, BOTH, [kind])]
    return {turn.question: turn.answer for turn in turns}


def test_a_scene_is_described_as_one_reads():
    assert described(BOTH) == "a small red circle and a large blue star on a white background"
    assert described(scene()) == "nothing on a white background"


@pytest.mark.parametrize(
    ("kind", "word", "answer"),
    [
        ("color", "star", "blue"),
        ("shape", "red", "a circle"),
        ("size", "star", "large"),
        ("where", "circle", "top right"),
        ("background", "", "white"),
        ("biggest", "", "a blue star"),
    ],
)
def test_answers_are_right(kind, word, answer):
    assert {said for asked, said in answers(kind).items() if word in asked} == {answer}


@pytest.mark.parametrize("kind", vision_wordings.wordings())
def test_no_wording_that_is_added_is_one_kept_for_the_test(kind):
    rng, slots = random.Random(kind), {"thing": "red star", "a_thing": "a red star", "things": "red stars"}

    def said(wordings, times):
        return {normalised(expand(rng, one).format_map(slots)) for one in wordings for _ in range(times)}

    added = said(vision_wordings.wordings()[kind], 100)
    assert len(added) > 50
    assert not added & said(KINDS[kind].test, 100)


def test_some_of_the_added_wordings_are_kept_out_of_training():
    rng = random.Random(0)
    learnt, kept = (
        {vision_wordings.wording(rng, "count", {"things": "stars"}, kept) for _ in range(3000)}
        for kept in (False, True)
    )
    assert kept
    assert learnt - kept == learnt
    assert vision_wordings.wording(rng, "color", {"shape": "star"}) is None


def test_relations_are_the_pictures():
    assert relates(STAR, "left of", CIRCLE)
    assert not relates(STAR, "above", CIRCLE)
    assert relates(STAR, "left of", thing("red", "heart", 0.25, 0.1)) is None
    assert place_of(thing("red", "heart", 0.34, 0.5)) is None


def test_yes_and_no_are_about_as_many():
    asking = Asking(random.Random(0), "train", WORLD)
    scenes = [vision_tower.draw(stream("train", at), "train", WORLD) for at in range(400)]
    for kind in ("exist", "check"):
        said = Counter(turn.answer for one in scenes for turn in one_picture(asking, one, [kind]))
        assert 0.35 < said["yes"] / said.total() < 0.65


def test_what_changed_is_told_and_never_teaches_what_is_held_out():
    for at in range(200):
        rng = stream("train", at)
        asking = Asking(rng, "train", WORLD)
        first = vision_tower.draw(rng, "train", WORLD)
        second, told = changed(asking, first)
        assert (told == "nothing") == (first == second)
        assert not {(one.colour, one.shape) for one in second.objects} & HELD_OUT


def test_more_and_fewer_are_counted():
    asking = Asking(random.Random(0), "train", WORLD)
    turns = [turn for _ in range(60) for turn in two_pictures(asking, BOTH, scene(), "", ["compare_count"])]
    assert {turn.answer for turn in turns} == {"the first"}


def test_every_centre_has_a_cell_of_its_own():
    for at in range(200):
        drawn = vision_tower.draw(stream("train", at), "train", WORLD)
        assert len({vision_tower.cells_of(one)[0] for one in drawn.objects}) == len(drawn.objects)


def test_of_two_cells_beside_a_centre_the_louder_one_is_taught():
    border = thing("red", "circle", 0.5, 0.25)
    batch = vision_tower.batch([scene(border)], random.Random(0))
    said = torch.zeros(1, GRID * GRID, batch["said"].shape[-1])
    left, right = vision_tower.cell(SIDE * 0.49, SIDE * 0.25), vision_tower.cell(SIDE * 0.5, SIDE * 0.25)
    for louder in (left, right):
        said[..., 0] = torch.nn.functional.one_hot(torch.tensor([louder]), GRID * GRID)
        assert vision_tower.wanted(said, batch)[0, :, 0].nonzero().tolist() == [[louder]]


def test_a_description_may_name_the_things_in_any_order():
    turn = Turn("describe", "", described(BOTH))
    assert turn.answered("a large blue star and a small red circle on a white background")
    assert not turn.answered("a large blue star on a white background")


def test_questions_side_by_side_are_read_as_if_each_stood_alone():
    apart = torch.tensor([[0, 0, 1, 1, 2, 2, 2, -1]])
    seen, places = vision_batches.seen(apart)[0, 0], vision_batches.places(apart)[0]
    assert seen[5].nonzero().flatten().tolist() == [0, 1, 4, 5]
    assert places[:7].tolist() == [0, 1, 2, 3, 2, 3, 4]


def test_a_name_has_one_number_in_its_word_and_one_in_the_cells_that_show_it(tmp_path):
    known = vision_chat.tokenizer(tmp_path / "tokenizer", WORLD, texts=2000)
    shape = replace(TINY, hidden=64, heads=2)
    llava = LlavaForConditionalGeneration(vision_chat.config(known, shape))
    tower = vision_tower.Tower(vision_tower.vision_config(shape.widths, shape.eye))
    vision_chat.begin_as_dictionary(llava, tower, known)
    words: Any = llava.get_input_embeddings().weight
    names, red = len(vision_chat._NAMES), vision_chat._NAMES.index("red")
    word = words[known.convert_tokens_to_ids("Ġred")]
    cell = llava.model.multi_modal_projector.linear_2.weight[:, vision_tower.PARTS["centre"] + red]
    assert word[: 2 * names].nonzero().flatten().tolist() == [red]
    assert cell.nonzero().flatten().tolist() == [names + red]


def test_one_more_head_looks_to_the_same_cell_of_the_picture_before_and_changes_no_answer(tmp_path):
    known = vision_chat.tokenizer(tmp_path / "tokenizer", WORLD, texts=2000)
    llava = LlavaForConditionalGeneration(vision_chat.config(known, replace(TINY, layers=2))).eval()
    batch = vision_batches.Encoder(known).batch(
        [vision_batches.Talk((BOTH, scene(CIRCLE)), (Turn("compare", "what changed?", "nothing"),))],
        random.Random(0),
    )
    everywhere = torch.ones_like(batch["ids"], dtype=torch.bool)
    talker = vision_chat.Talker(llava).eval()
    with torch.no_grad():
        before = vision_chat.logits(talker, batch, everywhere)
        look_back(llava, WORLD)
        after = vision_chat.logits(talker, batch, everywhere)
    assert torch.allclose(before, after, atol=1e-5)
    steady = torch.ones(1)
    query, key = (rows[:, 0] for rows in turned(steady, 32, 1e7))
    text: Any = llava.model.language_model
    cos, sin = text.rotary_emb(query, torch.arange(80)[None])
    queries, keys = apply_rotary_pos_emb(*(one.expand(1, 1, 80, 32) for one in (query, key)), cos, sin)
    likeness = (queries @ keys.mT)[0, 0] * 32**-0.5
    assert likeness[70, :71].argmax() == 70 - GRID * GRID
    assert likeness[70, :71].softmax(0).max() > 0.9


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("vision")
    plan = vision_chat.plan(path / "out", path / "work", steps=2)
    vision_chat.train(plan, shape=TINY, per_kind=2)
    return path


def test_the_trainer_writes_a_model_that_answers_on_two_pictures(folder):
    loaded: Any = AutoModelForImageTextToText.from_pretrained(
        folder / "out", dtype=torch.float32, output_loading_info=True
    )
    model, info = loaded
    processor = AutoProcessor.from_pretrained(folder / "out")
    pictures = [{"type": "image", "image": render(BOTH).resize(size)} for size in ((200, 120), (64, 64))]
    said = [{"role": "user", "content": [*pictures, {"type": "text", "text": "What changed?"}]}]
    inputs = processor.apply_chat_template(
        said, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    assert (inputs["input_ids"] == model.config.image_token_id).sum() == 2 * GRID * GRID
    assert model.generate(**inputs, max_new_tokens=3).shape[0] == 1
    assert not info["missing_keys"]


@pytest.mark.parametrize("share", [0.3, 0.0])
def test_a_folder_is_trained_on_its_eye_first_if_that_has_a_share(folder, tmp_path, share):
    plan = vision_chat.plan(tmp_path / "out", tmp_path / "work", steps=2)
    vision_chat.train(plan, shape=TINY, start=folder / "out", tower_share=share, per_kind=2)
    before, after = (
        LlavaForConditionalGeneration.from_pretrained(path / "out", dtype=torch.float32)
        for path in (folder, tmp_path)
    )
    parts: Any = [
        (model.model.vision_tower, model.model.multi_modal_projector.linear_1, model.model.language_model)
        for model in (before, after)
    ]
    with torch.no_grad():
        moved = [
            max(
                float((one - other).abs().max())
                for one, other in zip(old.parameters(), new.parameters(), strict=True)
            )
            for old, new in zip(*parts, strict=True)
        ]
    # Each moved a little, or not at all: nothing began anew.
    assert [most > 0 for most in moved] == [share > 0, share > 0, True]
    assert max(moved) < 0.1
    assert " min in earlier goes, " in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_what_attention_adds_hides_what_is_not_seen():
    seen = torch.tensor([[True, False], [True, True]])
    assert vision_chat.added(seen).softmax(-1).tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_the_encoder_writes_what_the_template_writes(folder):
    processor = AutoProcessor.from_pretrained(folder / "out")
    talk = next(t for t in (vision_batches.talk(random.Random(at), WORLD) for at in range(99)) if t.later)
    said = []
    for at, turn in enumerate(talk.turns):
        shown = {0: [talk.scenes[0]], talk.later: [talk.scenes[1]]}.get(at, [])
        pictures = [{"type": "image", "image": render(one)} for one in shown]
        said.append({"role": "user", "content": [*pictures, {"type": "text", "text": turn.question}]})
        said.append({"role": "assistant", "content": [{"type": "text", "text": turn.answer}]})
    if talk.system:
        said.insert(0, {"role": "system", "content": talk.system})
    written = processor.apply_chat_template(said, tokenize=True, return_dict=True, return_tensors="pt")
    assert written["input_ids"][0].tolist() == vision_batches.Encoder(processor.tokenizer)(talk)[0]


def test_the_eye_takes_the_detectors_convolutions(tmp_path):
    from safetensors.torch import save_file

    tower = vision_tower.Tower(vision_tower.vision_config(TINY.widths, 32))
    mine = tower.eye.embeddings.backbone.state_dict()
    given = {f"model.backbone.model.{name}": torch.ones_like(one) for name, one in mine.items()}
    save_file(given, tmp_path / "model.safetensors")
    tower.begin_as(tmp_path)
    assert all((one == 1).all() for one in tower.eye.embeddings.backbone.state_dict().values())
