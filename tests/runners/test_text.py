"""One answer or several, from the first token to the last: seeds, limits, stops, log-probabilities."""

from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from inference_chat.errors import TooLarge
from inference_chat.events import Finished, Progress, Result, TextDelta
from inference_chat.runners.detokenize import REPLACEMENT
from inference_chat.runners.text import TextOptions, TextRunner

from . import models
from .models import answer, build, events, open_runner, request, system, user

PROMPT = "the other one"


def whole(runner: TextRunner, **options: Any) -> str:
    return answer(runner, PROMPT, **options).text


# --- seeds --------------------------------------------------------------------------------------


def test_the_same_seed_has_the_same_text(tiny_runner: TextRunner):
    one, same, other = (whole(tiny_runner, temperature=1, seed=seed) for seed in (5, 5, 6))
    assert one == same != other


def test_the_receipt_of_an_unseeded_answer_gives_it_again(tiny_runner: TextRunner):
    first = answer(tiny_runner, PROMPT, temperature=1)
    assert first.finished.receipt is not None
    assert whole(tiny_runner, temperature=1, seed=first.finished.receipt.seed) == first.text


def test_runs_that_take_turns_do_not_disturb_each_other(tiny_runner: TextRunner):
    how: list[dict[str, Any]] = [
        {"seed": 1, "temperature": 1.0},
        {"seed": 2, "n": 3, "temperature": 1.0},
        {"temperature": 0},
    ]
    alone = [answer(tiny_runner, PROMPT, **options).texts for options in how]
    runs = [tiny_runner.run(request(PROMPT, **options), Flag()) for options in how]
    assert [Result.of(log).texts for log in models.taking_turns(runs)] == alone


def test_between_steps_torch_is_left_as_it_was(tiny_runner: TextRunner):
    run = tiny_runner.run(request(PROMPT), Flag())
    next(event for event in run if isinstance(event, TextDelta))
    assert not torch.is_inference_mode_enabled()


# --- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [1, 7])
def test_max_tokens_are_kept_to(tiny_runner: TextRunner, tokens: int):
    finished = answer(tiny_runner, PROMPT, max_tokens=tokens).finished
    assert finished.usage.completion_tokens == tokens
    assert finished.finish_reasons == ("length",)


def test_an_answer_ends_with_the_window(tiny_runner: TextRunner):
    usage = answer(tiny_runner, "x" * 250, max_tokens=999).finished.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (250, 6)


def test_a_prompt_that_fills_the_window_is_too_large(tiny_runner: TextRunner):
    with pytest.raises(TooLarge):
        events(tiny_runner, "x" * 256)


def test_a_stop_string_ends_the_answer_and_is_left_out(tiny_runner: TextRunner):
    text = whole(tiny_runner, max_tokens=64)
    stop = text[20:27]
    result = answer(tiny_runner, PROMPT, max_tokens=64, stop=("never there", stop))
    assert result.text == text[: text.index(stop)]
    assert result.finished.finish_reasons == ("stop",)


def test_what_was_held_back_for_a_stop_string_is_not_lost(tiny_runner: TextRunner):
    text = whole(tiny_runner)
    assert whole(tiny_runner, stop=(text[-5:] + "more",)) == text


def test_each_of_several_answers_ends_by_itself(tiny_runner: TextRunner):
    how: dict[str, Any] = {"n": 4, "seed": 3, "temperature": 1.0, "max_tokens": 40}
    texts = answer(tiny_runner, PROMPT, **how).texts
    stop = texts[2][5:8]
    cut = answer(tiny_runner, PROMPT, stop=(stop,), **how)
    assert cut.texts == tuple(text.partition(stop)[0] for text in texts)
    assert cut.finished.finish_reasons[2] == "stop"


@pytest.mark.parametrize("wrap", [int, lambda token: [1, token]], ids=["one", "list"])
def test_every_end_token_of_the_model_ends_an_answer(tmp_path: Path, wrap: Any):
    folder = build("Llama", tmp_path / "ends")
    prompt, text = "the", answer(open_runner(folder), "the").text
    runner = open_runner(folder)
    (end,) = runner._tokenizer(text[3], add_special_tokens=False)["input_ids"][:1]
    runner._model.generation_config.eos_token_id = wrap(end)
    runner._ends = runner._end_tokens()
    result = answer(runner, prompt)
    assert result.text == text[: text.index(text[3])]
    assert result.finished.finish_reasons == ("stop",)


# --- a stop from outside ------------------------------------------------------------------------


def test_a_stop_ends_the_run_within_one_step(tiny_runner: TextRunner):
    stop = Flag()
    run = tiny_runner.run(request(PROMPT, max_tokens=200), stop)
    shown = [next(event for event in run if isinstance(event, TextDelta))]
    stop.set()
    rest = list(run)
    finished = Result.of([*shown, *rest]).finished
    assert finished.finish_reasons == ("cancelled",)
    assert finished.usage.completion_tokens == 1
    assert len(rest) <= 2


def test_a_stop_while_reading_counts_what_was_read(tmp_path: Path):
    runner, stop = open_runner(build("Llama", tmp_path / "long")), Flag()
    run = runner.run(request("the" * 700), stop)
    progress = [next(run), next(run)]
    stop.set()
    (finished,) = run
    assert [event.fraction for event in progress if isinstance(event, Progress)] == [0, 512 / 700]
    assert isinstance(finished, Finished)
    assert (finished.finish_reasons, finished.usage.prompt_tokens) == (("cancelled",), 512)


def test_steps_that_show_nothing_give_others_their_turn(tiny_runner: TextRunner):
    text = whole(tiny_runner, max_tokens=9)
    steps = events(tiny_runner, PROMPT, max_tokens=9, stop=(text + "never",))
    assert sum(isinstance(event, Progress) and event.phase == "answering" for event in steps) == 9


# --- chats --------------------------------------------------------------------------------------


def test_a_chat_that_outgrew_the_window_says_so(tiny_runner: TextRunner):
    result = answer(tiny_runner, (system("be kind"), user("x" * 230), user("hi")))
    assert "left out" in result.finished.notes[0]
    assert result.finished.usage.prompt_tokens == 13


# --- log-probabilities --------------------------------------------------------------------------


def test_logprobs_are_those_of_a_plain_forward(tiny_runner: TextRunner, tiny_llama: Path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(tiny_llama)(PROMPT, return_tensors="pt")["input_ids"]
    model: Any = AutoModelForCausalLM.from_pretrained(tiny_llama)
    ids = model.generate(inputs, do_sample=False, max_new_tokens=12)
    with torch.inference_mode():
        values = model(ids).logits[0, inputs.shape[1] - 1 : -1].log_softmax(-1)
    wanted = [float(row[token]) for row, token in zip(values, ids[0, inputs.shape[1] :], strict=True)]
    (tokens,) = answer(tiny_runner, PROMPT, max_tokens=12, logprobs=3).tokens
    assert [token.logprob for token in tokens] == pytest.approx(wanted, abs=1e-4)
    assert [token.top[0].logprob for token in tokens] == pytest.approx(wanted, abs=1e-4)
    assert all(len(token.top) == 3 for token in tokens)


@pytest.mark.parametrize("seed", range(8))
def test_the_texts_of_the_tokens_join_to_the_answer(tiny_runner: TextRunner, seed: int):
    result = answer(tiny_runner, PROMPT, seed=seed, temperature=1, logprobs=0, max_tokens=60)
    assert result.text == "".join(token.text for token in result.tokens[0])
    ended = result.finished.finish_reasons.count("stop")
    assert len(result.tokens[0]) == result.finished.usage.completion_tokens - ended


def test_the_mark_of_a_cut_character_is_that_of_its_last_token(tiny_runner: TextRunner):
    """A random model cuts one in several answers of any length; `echo` counts the token of an end, too."""
    cut = 0
    for length in range(1, 41):
        for echo in (False, True):
            how = {"seed": 5, "temperature": 1, "logprobs": 0, "max_tokens": length, "echo": echo}
            result = answer(tiny_runner, PROMPT, **how)
            assert result.text == "".join(token.text for token in result.tokens[0])
            cut += result.text.endswith(REPLACEMENT)
    assert cut


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": float("nan")}, {"top_p": 0}, {"n": 0}, {"seed": -1}, {"stop": [""]}, {"heat": 1}],
)
def test_options_out_of_bounds_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        TextOptions(**wrong)


@pytest.mark.parametrize(("given", "stop"), [("end", ("end",)), (None, ()), (["a", "b"], ("a", "b"))])
def test_stop_is_one_text_or_many(given: Any, stop: tuple[str, ...]):
    assert TextOptions(stop=given).stop == stop


def test_only_greedy_or_seeded_answers_repeat():
    found = [TextOptions(temperature=t, seed=s).repeatable for t, s in ((0, None), (1, 4), (1, None))]
    assert found == [True, True, False]
