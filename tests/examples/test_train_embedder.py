"""Likeness follows meaning, and the trainer writes a folder that loads."""

import json
import random

import pytest
import torch
from transformers import BertForSequenceClassification

from examples.train_starters import embedder, reader
from examples.train_starters.embedder_card import Embedder, pairs, ranks, spearman
from examples.train_starters.embedder_data import Meaning, draw, likeness, targets

RED = Meaning("shapes", "count", frozenset({"red", "circle"}))


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (RED, 1.0),
        (Meaning("shapes", "count", frozenset({"blue", "circle"})), 0.5 + 0.5 / 3),
        (Meaning("shapes", "where", frozenset({"red", "circle"})), 0.4),
        (Meaning("app", "count"), 0.0),
    ],
)
def test_likeness_follows_domain_kind_and_things(other, alike):
    assert likeness(RED, other) == likeness(other, RED) == pytest.approx(alike)


def test_a_meaning_drawn_keeps_its_meaning_in_other_words():
    rng = random.Random(0)
    drawn = [draw(rng, split) for split in ("train", "test") for _ in range(300)]
    assert all(one.meaning == other.meaning for one, other in drawn)
    assert {one.meaning.domain for one, _ in drawn} == {"shapes", "country", "app", "task"}


def test_pairs_are_alike_in_all_degrees_and_never_the_same_text_where_they_mean_the_same():
    asked = pairs(90)
    assert all(one.text != other.text for one, other in asked[::3])
    assert len({round(likeness(one.meaning, other.meaning), 1) for one, other in asked}) >= 4


def test_ranks_share_ties_and_spearman_knows_order():
    assert ranks(torch.tensor([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1, 3.5, 2]
    rising = torch.arange(9.0)
    assert spearman(rising, rising**3) == pytest.approx(1)
    assert spearman(rising, -rising) == pytest.approx(-1)


def test_a_few_steps_write_a_folder_that_loads_and_a_card(tmp_path):
    trunk = tmp_path / "reader"
    known = reader.tokenizer(tmp_path / "tokenizer", 300)
    BertForSequenceClassification(reader.config(len(known), 32, 1)).save_pretrained(trunk)
    known.save_pretrained(trunk)
    plan = embedder.plan(tmp_path / "out", tmp_path / "work", steps=2, device="cpu", autocast=False)
    embedder.train(plan, trunk, tested=30)
    assert Embedder(plan.out)(["hello"]).shape == (1, 32)
    assert json.loads((plan.out / "modules.json").read_text())[1]["path"] == "1_Pooling"
    batch = embedder.encoded(known, draw(random.Random(0), "train"))
    assert torch.equal(batch["targets"], targets(draw(random.Random(0), "train")))
