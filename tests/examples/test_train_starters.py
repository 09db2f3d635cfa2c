"""The curriculum tells the truth, and the trainer writes a folder that loads."""

import json
import operator
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from examples.train_starters import card, chat, checkpoint
from examples.train_starters.budget import learning_rate
from examples.train_starters.chat_batches import IGNORED, Encoder, held_out_turns
from examples.train_starters.chat_data import app, dialogues, numbers, refusal, words
from examples.train_starters.chat_data.alike import alike
from examples.train_starters.chat_data.turns import Dialogue
from examples.train_starters.chat_data.wording import Source, held_out, normalised
from examples.train_starters.chat_eval.free import FreeTurn, free_dialogues, fresh_dialogues
from inference_chat import ui

COUNTRY = {
    "name": "Germany",
    "region": "europe",
    "capital": "Berlin",
    "location": "Central Europe, between Poland and France",
    "area_total": "357,022 sq km",
    "population": "84,012,284 (2025 est.)",
    "languages": "German (official)",
    "highest_point": "Zugspitze 2,963 m",
}
OTHERS = [("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Kenya", "Nairobi")]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rows = [COUNTRY] + [COUNTRY | {"name": name, "capital": capital} for name, capital in OTHERS]
    (folder / "countries.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    intents = [
        {"questions": [f"{word} number {at}?" for at in range(40)], "answers": {"friendly": f"About {word}."}}
        for word in ("trees", "boats")
    ]
    (folder / "small_talk.jsonl").write_text("\n".join(map(json.dumps, intents)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def conversations(data: Path) -> list[Dialogue]:
    return [dialogues.sample(f"test/{at}", data) for at in range(480)]


def answers(conversations: list[Dialogue], skill: str) -> Iterator[str]:
    return (turn.answer for dialogue in conversations for turn in dialogue.turns if turn.skill == skill)


def test_a_seed_always_gives_the_same_dialogue(data):
    assert dialogues.sample("7", data) == dialogues.sample("7", data)


def test_every_skill_occurs_and_every_turn_says_something(data, conversations):
    turns = [turn for dialogue in conversations for turn in dialogue.turns]
    assert {turn.skill for turn in turns} == {*dialogues.skills(data), "memory"}
    assert all(turn.user.strip() and turn.answer.strip() for turn in turns)
    assert not [turn for turn in turns if re.search(r"\{\w*\}", turn.answer)]


def test_equations_in_answers_hold(conversations):
    equations = re.compile(r"(\d+) ([-+×]) (\d+) = (-?\d+)")
    found = equations.findall(" ".join(answers(conversations, "arithmetic")))
    signs = {"+": operator.add, "-": operator.sub, "×": operator.mul}
    assert len(found) > 100
    assert all(signs[sign](int(a), int(b)) == int(result) for a, sign, b, result in found)


@pytest.mark.parametrize(("a", "b"), [(999, 999), (105, 7), (250, 250), (1000, 1), (940, 88)])
def test_worked_out_columns_end_in_the_right_result(a, b):
    assert numbers.added(a, b).endswith(f"= {a + b}.")
    assert numbers.taken(a, b).endswith(f"= {a - b}.")
    columns = re.findall(r"(\d+)-(\d+)=(\d+)", numbers.taken(a, b))
    assert all(int(have) - int(need) == int(left) for have, need, left in columns)


def test_letters_reversed_are_the_letters_backwards(conversations):
    found = re.findall(r"([\w-]+) backwards is ([\w-]+)\.", " ".join(answers(conversations, "words")))
    assert found
    assert all(shown[::-1] == turned for shown, turned in found)


def test_every_word_that_is_asked_a_rhyme_of_has_one():
    assert min(len(set(family)) for family in words.RHYMES) >= 2


def test_what_was_told_last_is_what_is_remembered(conversations):
    checked = 0
    for dialogue in conversations:
        name = None
        for turn in dialogue.turns:
            told = re.search(r"Nice to meet you, (\w+)!|changed that: your name is (\w+)", turn.answer)
            name = (told.group(1) or told.group(2)) if told else name
            if asked := re.match(r"Your name is (\w+)\.", turn.answer):
                checked += 1
                assert asked.group(1) == name
    assert checked > 20


def test_what_is_said_of_the_tabs_is_said_of_every_tab_there_is():
    tabs = [*ui.TABS]
    assert sorted(app.TABS) == sorted([*tabs, app.ASKED])
    assert all(app.TABS[tab][0].startswith(f"= The {tab} tab ") for tab in tabs)
    (listed,) = (answer for _, answer in app.TOPICS if "tabs:" in answer)
    assert all(tab in listed for tab in tabs)


def test_what_is_pasted_stands_in_lines_below_the_request():
    turns = [refusal.pasted(Source(random.Random(seed))) for seed in range(50)]
    assert all(turn.user.count("\n") >= 1 and turn.answer in turn.accepted for turn in turns)


def test_facts_are_those_of_the_data(conversations):
    capitals = {"Germany": "Berlin", **dict(OTHERS)}
    found = re.findall(r"[Tt]he capital of (\w+) is (\w+)", " ".join(answers(conversations, "facts")))
    assert found
    assert all(capitals[country] == capital for country, capital in found)


def test_wordings_keep_to_their_side_of_the_split():
    options = [f"wording {at}" for at in range(200)]
    for split in ("train", "test"):
        source = Source(random.Random(0), split)
        assert all(held_out(source.wording(options)) == (split == "test") for _ in range(100))


def test_free_dialogues_are_enough_and_their_judge_judges():
    assert len(free_dialogues()) >= 60
    assert FreeTurn("capital of Italy?", "rome", "paris").right("It is Rome.")
    assert not FreeTurn("capital of Italy?", "rome", "paris").right("Rome or Paris.")
    assert normalised("What is the capital of Italy?") in held_out_turns()


def tiny(data: Path, tmp_path: Path, steps: int) -> chat.Plan:
    plan = chat.Plan(data, tmp_path / "out", tmp_path / "work", steps=steps, device="cpu")
    return replace(plan, hidden=32, layers=1, vocabulary=400, window=256, texts=60)


def written(tokenizer: Any, messages: list[dict[str, str]], **options: Any) -> Any:
    return tokenizer.apply_chat_template(messages, return_dict=True, **options)


def test_training_resumes_where_it_was_and_writes_a_folder_that_loads(data, tmp_path):
    first = chat.Training(tiny(data, tmp_path, 2))
    first.run()
    second = chat.Training(tiny(data, tmp_path, 3))
    assert second.step == first.step == 2
    assert torch.equal(second.model.model.embed_tokens.weight, first.model.model.embed_tokens.weight)
    second.run()
    assert second.step == 3
    model: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    messages = [{"role": "system", "content": "Be witty."}, {"role": "user", "content": "héllo 😀 12 你好"}]
    ids = written(tokenizer, messages, add_generation_prompt=True, return_tensors="pt")
    assert model.generate(**ids, max_new_tokens=2).shape[0] == 1
    shown = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert shown == "<|system|>Be witty.<|end|><|user|>héllo 😀 12 你好<|end|><|assistant|>"
    assert tokenizer.decode(ids["input_ids"][0]) == shown


def test_the_encoder_writes_what_the_template_writes_and_teaches_only_answers(data, tmp_path, conversations):
    tokenizer = chat.Training(tiny(data, tmp_path, 0)).tokenizer
    dialogue = min(conversations, key=lambda one: len(repr(one)))
    ids, labels = Encoder(tokenizer, 2048)(dialogue)
    assert written(tokenizer, dialogue.messages())["input_ids"] == ids
    taught = tokenizer.decode([one for one in labels if one != IGNORED])
    assert taught == "".join(turn.answer + "<|end|>" for turn in dialogue.turns)


def test_training_begins_as_another_folder(data, tmp_path):
    first = chat.Training(tiny(data, tmp_path, 1))
    first.run()
    second = chat.Training(replace(tiny(data, tmp_path, 1), work=tmp_path / "other", start=tmp_path / "out"))
    assert second.step == 0
    kept = {name: tensor.bfloat16() for name, tensor in second.model.state_dict().items()}
    assert all(torch.equal(kept[name], one.bfloat16()) for name, one in first.average.weights.items())


def test_what_was_learnt_is_mixed_with_what_it_began_from(data, tmp_path):
    first = chat.Training(tiny(data, tmp_path, 1))
    first.run()
    began = load_file(tmp_path / "out" / "model.safetensors")
    plan = replace(
        tiny(data, tmp_path, 2), work=tmp_path / "w", start=tmp_path / "out", out=tmp_path / "mixed"
    )
    second = chat.Training(plan)
    second.run()
    saved = checkpoint.load(tmp_path / "w" / "checkpoint.pt")
    assert saved is not None
    learnt = saved["average"]
    for name, mixed in load_file(tmp_path / "mixed" / "model.safetensors").items():
        assert torch.equal(mixed, learnt[name].lerp(began[name].float(), 0.4).bfloat16())
        assert not torch.equal(learnt[name], began[name].float())


def test_replies_of_like_occasions_are_right_and_others_are_not():
    hello, thanks = {"friendly": "Hi!", "witty": "Hey."}, {"friendly": "You're very welcome.", "witty": "Np."}
    again = {"friendly": "Hello!", "witty": "Roger that."}
    assert alike([hello, thanks, again], hello) == {"Hi!", "Hey.", "Hello!", "Roger that."}


def test_a_checkpoint_cut_off_leaves_the_old_one(tmp_path, monkeypatch):
    checkpoint.save(tmp_path / "c.pt", {"step": 1})
    monkeypatch.setattr(torch, "save", lambda state, path: Path(path).write_bytes(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        checkpoint.save(tmp_path / "c.pt", {"step": 2})
    assert checkpoint.load(tmp_path / "c.pt") == {"step": 1}


def test_a_card_takes_only_figures_of_its_own_weights(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(card.StaleFigures):
        card.write_card(tmp_path, "text", {"sha256": "of other weights"})
    card.write_card(tmp_path, "text", {"sha256": card.digest(tmp_path)})
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "text"


def test_the_rate_rises_stays_and_falls():
    assert (
        learning_rate(0, 0) < learning_rate(0.3, 100) == 1 > learning_rate(0.9, 1000) > learning_rate(1, 1000)
    )


def test_dialogues_written_after_training_are_enough_and_kept_out_of_it():
    assert sum(len(one.turns) for one in fresh_dialogues()) >= 100
    assert not {*fresh_dialogues(), *fresh_dialogues("fresh")} & set(free_dialogues())
    assert normalised("do you remember my name?") in held_out_turns()
    asked = fresh_dialogues("fresh")[0].turns[-1]
    assert asked.right("It is 7.")
    assert not asked.right("It is 17.")
