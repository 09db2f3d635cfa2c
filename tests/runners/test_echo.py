"""Prompts with the log-probabilities of their own tokens, beside those of a plain forward pass."""

import pytest

from inference_chat.errors import InvalidRequest
from inference_chat.runners.text import TextOptions, TextRunner
from inference_chat.schema import Request

from . import models
from .models import answer, open_runner, user

PROMPT = "the cat and then the other cat on the mat, and a hat that the cat had on it then"


@pytest.fixture(scope="module", params=["Llama", "Gemma2", "Mamba"])
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextRunner:
    """Two that are read in pieces in batches, one of them with windows, and one that is read alone."""
    return open_runner(models.build(request.param, tmp_path_factory.mktemp("models") / "it"))


def plainly(runner: TextRunner, ids: list[int]) -> list[float]:
    """By one forward pass of a model loaded anew, as evaluation programs do it."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(runner.checkpoint.folder)
    with torch.inference_mode():
        values = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    return [float(values[at, token]) for at, token in enumerate(ids[1:])]


def test_each_token_of_the_prompt_has_its_probability(runner: TextRunner):
    ids = runner._tokenizer(PROMPT)["input_ids"]
    result = answer(runner, PROMPT, echo=True, logprobs=2, max_tokens=3)
    first, *rest = result.tokens[0][: len(ids)]
    assert first.logprob is None
    assert [one.logprob for one in rest] == pytest.approx(plainly(runner, ids), abs=1e-4)
    assert result.text.startswith("".join(one.text for one in result.tokens[0]))
    assert result.text == PROMPT + answer(runner, PROMPT, max_tokens=3).text
    assert {len(one.top) for one in rest} == {2}


def test_tokens_instead_of_text_and_nothing_written(runner: TextRunner):
    ids = tuple(runner._tokenizer(PROMPT)["input_ids"])
    options = TextOptions(echo=True, logprobs=1, max_tokens=0, n=2)
    asked = Request(model="m@1", prompt_ids=ids, options=options)
    result = models.Result.of(runner.run(asked, models.Flag()))
    assert result.texts == (PROMPT, PROMPT)
    assert result.finished.finish_reasons == ("length", "length")
    assert result.finished.usage.completion_tokens == 0
    assert result.tokens[0] == answer(runner, PROMPT, echo=True, logprobs=1, max_tokens=1).tokens[0][:-1]


def test_what_cannot_be_echoed_is_refused(runner: TextRunner):
    with pytest.raises(InvalidRequest, match="prompt"):
        answer(runner, (user("Hi"),), echo=True)
    with pytest.raises(InvalidRequest, match="no token 999999"):
        list(runner.run(Request(model="m@1", prompt_ids=(1, 999999), options=TextOptions()), models.Flag()))
    with pytest.raises(ValueError, match="max_tokens: 0"):
        TextOptions(max_tokens=0)
