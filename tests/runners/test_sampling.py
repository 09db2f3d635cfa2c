"""The next token is drawn as transformers draws it, by a generator of the request's own."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from inference_chat.errors import ModelFailed
from inference_chat.runners.sampling import Sampler, TopP, logprobs
from inference_chat.runners.text import TextOptions

PROMPT = "the other one"
OPTIONS: list[dict[str, Any]] = [
    {"temperature": 0.3},
    {"top_k": 5},
    {"top_p": 0.6},
    {"min_p": 0.2},
    {"repetition_penalty": 1.5},
    {"temperature": 1.7, "top_k": 40, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.2},
]
PLAIN: dict[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
}


def sampler(rows: int = 1, seed: int = 0, prompt: tuple[int, ...] = (), **options: Any) -> Sampler:
    return Sampler(TextOptions(**PLAIN | options), prompt, seed, rows)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_scores_are_those_of_generate(tiny_llama: Path, options: dict[str, Any]):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(tiny_llama)
    inputs = AutoTokenizer.from_pretrained(tiny_llama)(PROMPT, return_tensors="pt")
    how: dict[str, Any] = {
        "do_sample": True,
        "max_new_tokens": 1,
        "output_scores": True,
        "return_dict_in_generate": True,
    }
    wanted = model.generate(input_ids=inputs["input_ids"], **how, **PLAIN | options).scores[0]
    with torch.inference_mode():
        logits = model(input_ids=inputs["input_ids"]).logits[:, -1]
    found = sampler(prompt=tuple(inputs["input_ids"][0].tolist()), **options).scores(logits, [0])
    assert torch.allclose(found, wanted, atol=1e-4)


def test_penalties_count_the_answer_and_not_its_prompt():
    logits = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    row = sampler(prompt=(0, 0), temperature=1.0, presence_penalty=0.5, frequency_penalty=0.25)
    assert torch.equal(row.scores(logits, [0]), logits)
    for token in (1, 2, 2):
        only = torch.full((1, 4), float("-1e9")).index_fill_(1, torch.tensor([token]), 0.0)
        assert row.choose(only, [0]) == [token]
    assert torch.allclose(row.scores(logits, [0]), torch.tensor([[1.0, 0.25, 0.0, 0.0]]))


def test_tokens_are_drawn_as_often_as_they_are_likely():
    chosen, logits = sampler(seed=4), torch.tensor([[0.6, 0.3, 0.1]]).log()
    counts = Counter(chosen.choose(logits, [0])[0] for _ in range(3000))
    assert [counts[token] / 3000 for token in range(3)] == pytest.approx([0.6, 0.3, 0.1], abs=0.05)


def test_the_same_seed_draws_the_same_whatever_happens_elsewhere():
    one, two, logits = sampler(seed=7), sampler(seed=7), torch.zeros(1, 50)
    first = [one.choose(logits, [0]) for _ in range(20)]
    assert first == [(torch.rand(3), two.choose(logits, [0]))[1] for _ in range(20)]


def test_row_i_draws_like_seed_plus_i_also_when_others_have_left():
    many, last, logits = sampler(rows=3, seed=7), sampler(seed=9), torch.zeros(3, 50)
    assert many.choose(logits, [0, 1, 2])[2:] == last.choose(logits[:1], [0])
    assert many.choose(logits[:1], [2]) == last.choose(logits[:1], [0])


@pytest.mark.parametrize("temperature", [0, 1e-300, 1e-7])
def test_no_warmth_takes_the_likeliest(temperature: float):
    assert sampler(temperature=temperature).choose(torch.tensor([[1.0, 60.0, 3.0]]), [0]) == [1]


def test_a_penalty_counts_what_was_chosen():
    greedy = sampler(temperature=0, repetition_penalty=2)
    logits = torch.tensor([[1.0, 1.5]])
    assert [greedy.choose(logits, [0])[0] for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_told(broken: float):
    with pytest.raises(ModelFailed, match="DTYPE=float32"):
        sampler().choose(torch.tensor([[0.0, broken]]), [0])


def test_logprobs_are_those_of_the_model_and_sorted():
    found = logprobs(torch.tensor([0.5, 0.2, 0.3]).log(), 1, 2, lambda token: "abc"[token])
    assert found.text == "b"
    assert found.logprob == pytest.approx(-1.609, abs=1e-3)
    assert [other.text for other in found.top] == ["a", "c"]


def test_more_alternatives_than_tokens_are_all_tokens():
    assert len(logprobs(torch.zeros(3), 0, 20, str).top) == 3


@pytest.mark.parametrize("spread", [0.5, 3.0], ids=["flat", "steep"])
def test_top_p_leaves_the_tokens_that_transformers_leaves(spread: float):
    from transformers import TopPLogitsWarper

    scores = torch.randn(3, 5000, generator=torch.Generator().manual_seed(2)) * spread
    for share in (0.1, 0.6, 0.95):
        wanted: Any = TopPLogitsWarper(share)(torch.empty(3, 0), scores)
        assert torch.equal(TopP(share)(None, scores), wanted)


def test_tokens_that_were_left_out_are_never_drawn():
    chosen, logits = sampler(top_k=2), torch.tensor([[5.0, 1.0, 4.9, 1.0]])
    assert {chosen.choose(logits, [0])[0] for _ in range(200)} == {0, 2}
