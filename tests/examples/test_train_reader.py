"""Requests want the task they are filed under, and the trainer writes a folder that loads."""

import random

import pytest
import torch

from examples.train_starters import reader
from examples.train_starters.fitting import Fitting, Plan
from examples.train_starters.measuring import one_thread
from examples.train_starters.reader_card import Reader
from examples.train_starters.reader_data.requests import (
    _by_task,
    families,
    free,
    nouns,
    sample,
    shares,
    tasks,
)
from examples.train_starters.text_tokenizer import SPECIAL, train_tokenizer
from inference_chat.tasks import Task


def test_every_task_is_one_of_the_app_and_has_families_and_free_requests():
    assert set(tasks()) <= {str(task) for task in Task}
    assert {one.task for one in free()} == set(tasks())
    assert min(len(mine) for mine in _by_task("train").values()) >= 15
    assert {len(mine) for mine in _by_task("test").values()} == {3}


def test_sides_share_no_family():
    sides = [{one for mine in _by_task(split).values() for one in mine} for split in ("train", "test")]
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == set(families())


def test_every_slot_has_nouns_and_none_is_left_open():
    rng = random.Random(0)
    texts = [sample(rng, split).text for split in ("train", "test") for _ in range(2000)]
    assert not [text for text in texts if "{" in text or "|" in text]
    kept_apart = ("thing", "things", "photo", "video", "audio", "speech", "text", "short")
    assert not [slot for slot in kept_apart if set(nouns("test")[slot]) & set(nouns("train")[slot])]


def test_wordings_that_can_say_more_come_more_often():
    mine = _by_task("train")["summarization"]
    longest, shortest = (choose(mine, key=lambda one: one.text.count("|")) for choose in (max, min))
    assert shares(mine)[mine.index(longest)] > 2 * shares(mine)[mine.index(shortest)] > 0


def test_the_card_is_measured_on_one_thread_and_others_get_theirs_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_a_seed_always_gives_the_same_request_and_free_ones_are_enough():
    assert sample(random.Random(3), "train") == sample(random.Random(3), "train")
    assert len(list(free())) >= 150
    assert not {one.text for one in free()} & {one.text for one in free("free_seen")}


def test_any_word_falls_apart_into_known_pieces():
    known = train_tokenizer(["find the cats in my photo"] * 20, 200, 32)
    assert known.unk_token_id not in known("zyxwv 12?")["input_ids"]
    assert known("find")["input_ids"][0] == SPECIAL.index("[CLS]")


def test_only_ordinary_words_are_hidden():
    ids = torch.tensor([[2, 10, 11, 12, 3, 0]])
    hidden = reader.hidden_words(ids, 1.0)
    assert hidden[0, [0, 4, 5]].tolist() == [2, 3, 0]
    assert set(hidden[0, 1:4].tolist()) <= {1, 4}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fitting, Plan]:
    folder = tmp_path_factory.mktemp("reader")
    plan = reader.plan(folder / "out", folder / "work", steps=2, device="cpu", autocast=False)
    return reader.train(plan, 32, 1, texts=300), plan


def test_a_few_steps_write_a_folder_that_loads_and_a_card(trained):
    _, plan = trained
    assert Reader(plan.out)(["find the cats"])[0][0][0] in tasks()
    assert "# starter-reader" in (plan.out / "README.md").read_text(encoding="utf-8")


def test_training_resumes_where_it_was(trained):
    fitting, plan = trained
    again = Fitting(plan, fitting.model, reader.loss, lambda at: iter(()))
    assert again.step == 2
    assert again.progress >= 1
