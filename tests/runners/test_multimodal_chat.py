"""A conversation over pictures and clips: turns, windows, options, stops; on a tiny LLaVA."""

from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from inference_chat.errors import BadMedia, TooLarge, UnsupportedTask
from inference_chat.events import Finished, Footage, Progress, Result, TextDelta
from inference_chat.runners.multimodal import MultimodalRunner
from inference_chat.tasks import Task

from .chat_families import llava
from .tiny_media import clip, conversation, events, kept, open_runner, picture, request, result, says, tone

ASKED = "what is in there?"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> MultimodalRunner:
    found = open_runner(llava(tmp_path_factory.mktemp("tiny") / "llava"))
    assert isinstance(found, MultimodalRunner)
    return found


def about(place: Path, **options: Any) -> Any:
    return request(Task.IMAGE_TEXT_TO_TEXT, picture(place), prompt=ASKED, **options)


# --- what is read -------------------------------------------------------------------------------


def test_another_picture_has_another_answer(runner: MultimodalRunner, tmp_path: Path):
    one, other = (
        result(runner, request(Task.IMAGE_TEXT_TO_TEXT, picture(tmp_path, seed), prompt=ASKED))
        for seed in (0, 5)
    )
    assert one.text != other.text


def test_parts_of_a_message_say_the_same_as_a_prompt(runner: MultimodalRunner, tmp_path: Path):
    one = picture(tmp_path)
    asked = conversation(Task.IMAGE_TEXT_TO_TEXT, says("user", one, ASKED), media=(one,))
    assert result(runner, asked).text == result(runner, about(tmp_path)).text


def test_pictures_are_read_in_the_order_of_the_parts(runner: MultimodalRunner, tmp_path: Path):
    one, two = picture(tmp_path, 1), picture(tmp_path, 2)
    turns = [says("user", one, "then", two), says("user", two, "then", one)]
    texts = [result(runner, conversation(Task.ANY_TO_ANY, turn, media=(one, two))).text for turn in turns]
    assert texts[0] != texts[1]


def test_a_picture_of_an_earlier_turn_counts(runner: MultimodalRunner, tmp_path: Path):
    def asked(seed: int) -> Any:
        one = picture(tmp_path, seed)
        turns = (says("user", one, ASKED), says("assistant", "the one"), says("user", "and what else?"))
        return conversation(Task.TEXT_GENERATION, *turns, media=(one,))

    assert result(runner, asked(0)).text != result(runner, asked(5)).text


def test_a_chat_without_pictures_is_a_chat(runner: MultimodalRunner):
    from inference_chat.schema import Message

    asked = conversation(Task.TEXT_GENERATION, Message(role="user", content="hi"), media=())
    found = result(runner, asked)
    assert found.text
    assert found.finished.usage.prompt_tokens == 5


def test_a_long_text_is_read_in_pieces(runner: MultimodalRunner):
    asked = conversation(Task.TEXT_GENERATION, says("user", "quick jumps vex; " * 40), media=())
    read = [e.fraction for e in events(runner, asked) if isinstance(e, Progress) and e.phase == "reading"]
    assert len(read) == 3
    ids = runner._prompts.build_media(asked, 12, {}, 8, "")[0].ids
    out = runner._model.generate(runner._tensor([ids]), do_sample=False, max_new_tokens=12)
    assert result(runner, asked).text == runner._decode(out[0, len(ids) :].tolist())


def test_a_bare_prompt_is_continued(runner: MultimodalRunner):
    asked = request(Task.TEXT_GENERATION, prompt="the other one")
    ids = runner._tokenizer("the other one", return_tensors="pt")["input_ids"]
    out = runner._model.generate(ids, do_sample=False, max_new_tokens=12)
    assert result(runner, asked).text == runner._decode(out[0, ids.shape[1] :].tolist())


def test_a_caption_needs_no_question(runner: MultimodalRunner, tmp_path: Path):
    said = request(Task.IMAGE_TEXT_TO_TEXT, picture(tmp_path), prompt="Describe this picture.")
    assert result(runner, request(Task.IMAGE_TO_TEXT, picture(tmp_path))).text == result(runner, said).text


def test_each_picture_has_a_caption_of_its_own(runner: MultimodalRunner, tmp_path: Path):
    pictures = [picture(tmp_path, seed) for seed in (0, 5)]
    together = result(runner, request(Task.IMAGE_TO_TEXT, *pictures))
    alone = [result(runner, request(Task.IMAGE_TO_TEXT, one)) for one in pictures]
    assert list(together.texts) == [one.text for one in alone]
    assert together.finished.usage.completion_tokens == sum(
        one.finished.usage.completion_tokens for one in alone
    )


def test_people_may_write_the_words_that_stand_for_pictures(runner: MultimodalRunner, tmp_path: Path):
    asked = request(Task.IMAGE_TEXT_TO_TEXT, picture(tmp_path), prompt="what does <image> mean?")
    assert result(runner, asked).finished.usage.completion_tokens == 12


# --- clips --------------------------------------------------------------------------------------


def test_a_clip_is_looked_at_in_frames_with_their_times(runner: MultimodalRunner, tmp_path: Path):
    found = result(runner, request(Task.VIDEO_TEXT_TO_TEXT, clip(tmp_path), prompt=ASKED, frames=3))
    (footage,) = (event for event in found.outcomes if isinstance(event, Footage))
    assert footage.times == (0.5, 1.5, 2.5)
    assert found.finished.usage.prompt_tokens > 3 * 16


def test_the_seconds_of_frames_are_said(runner: MultimodalRunner, tmp_path: Path):
    asked = request(Task.VIDEO_TEXT_TO_TEXT, clip(tmp_path), prompt=ASKED, frames=2)
    assert "Frame at 0.8 s:" in read(runner, asked)


def test_nothing_is_said_between_frames_where_the_template_would_move_it(tmp_path: Path):
    folder = llava(tmp_path / "llava")
    pictures = "{% for part in m.content if part.type == 'image' %}<image>{% endfor %}"
    words = "{% for part in m.content if part.type == 'text' %}{{ part.text }}{% endfor %}"
    turn = "<|{{ m.role }}|>" + pictures + words + "<|end|>"
    template = "{% for m in messages %}" + turn + "{% endfor %}<|assistant|>"
    (folder / "chat_template.jinja").write_text(template)
    runner = open_runner(folder)
    assert isinstance(runner, MultimodalRunner)
    asked = request(Task.VIDEO_TEXT_TO_TEXT, clip(tmp_path), prompt=ASKED, frames=2)
    assert read(runner, asked).replace("<image>", "") == f"<|user|>{ASKED}<|end|><|assistant|>"


def read(runner: MultimodalRunner, asked: Any) -> str:
    """The text that the model reads."""
    from inference_chat.runners.content import open_media

    opening = open_media(asked, runner._senses, asked.options.frames, "tiny")
    while True:
        try:
            next(opening)
        except StopIteration as end:
            return runner._tokenizer.decode(runner._prompts.build_media(asked, 12, end.value, 2, "")[0].ids)


def test_a_clip_that_does_not_fit_is_looked_at_less_often(tmp_path: Path):
    small = open_runner(llava(tmp_path / "small", window=128))
    found = result(small, request(Task.VIDEO_TEXT_TO_TEXT, clip(tmp_path), prompt=ASKED, frames=8))
    (footage,) = (event for event in found.outcomes if isinstance(event, Footage))
    assert len(footage.times) == 2


# --- windows ------------------------------------------------------------------------------------


def test_pictures_count_towards_the_window(tmp_path: Path):
    small = open_runner(llava(tmp_path / "small", window=96))
    many = tuple(picture(tmp_path, seed) for seed in range(9))
    turns = [says("user", one, "see") for one in many]
    found = result(small, conversation(Task.ANY_TO_ANY, *turns, media=many, max_tokens=8))
    assert "oldest 5 messages were left out" in found.finished.notes[0]


def test_one_picture_too_many_is_told(tmp_path: Path):
    small = open_runner(llava(tmp_path / "small", window=32))
    two = (picture(tmp_path, 1), picture(tmp_path, 2))
    with pytest.raises(TooLarge, match="31 at most"):
        result(small, request(Task.IMAGE_TEXT_TO_TEXT, *two, prompt=ASKED))


# --- the options of chat ------------------------------------------------------------------------


def test_several_seeded_answers_are_those_of_their_seeds(runner: MultimodalRunner, tmp_path: Path):
    together = result(runner, about(tmp_path, n=3, seed=11, temperature=1))
    alone = [result(runner, about(tmp_path, seed=11 + row, temperature=1)).text for row in range(3)]
    assert list(together.texts) == alone


def test_a_stop_string_ends_the_answer(runner: MultimodalRunner, tmp_path: Path):
    text = result(runner, about(tmp_path)).text
    found = result(runner, about(tmp_path, stop=(text[4:7],)))
    assert found.text == text[: text.index(text[4:7])]
    assert found.finished.finish_reasons == ("stop",)


def test_logprobs_are_told(runner: MultimodalRunner, tmp_path: Path):
    (tokens,) = result(runner, about(tmp_path, logprobs=2)).tokens
    assert [token.logprob for token in tokens] == [token.top[0].logprob for token in tokens]


def test_runs_that_take_turns_do_not_disturb_each_other(runner: MultimodalRunner, tmp_path: Path):
    asked = [
        about(tmp_path),
        about(tmp_path, n=2, seed=4, temperature=1),
        request(Task.TEXT_GENERATION, prompt="a"),
    ]
    alone = [result(runner, one).texts for one in asked]
    runs = [runner.run(one, Flag()) for one in asked]
    logs: list[list[Any]] = [[] for _ in runs]
    while any(not log or not isinstance(log[-1], Finished) for log in logs):
        for run, log in zip(runs, logs, strict=True):
            log.extend(event for event in [next(run, None)] if event)
    assert [Result.of(log).texts for log in logs] == alone


def test_a_stop_ends_the_run_within_one_step(runner: MultimodalRunner, tmp_path: Path):
    stop = Flag()
    run = runner.run(about(tmp_path, max_tokens=100), stop)
    next(event for event in run if isinstance(event, TextDelta))
    stop.set()
    assert [e.finish_reasons for e in run if isinstance(e, Finished)] == [("cancelled",)]


def test_a_stop_before_anything_is_read(runner: MultimodalRunner, tmp_path: Path):
    stop = Flag()
    stop.set()
    (end,) = (event for event in events(runner, about(tmp_path), stop) if isinstance(event, Finished))
    assert (end.finish_reasons, end.usage.prompt_tokens) == (("cancelled",), 0)


# --- what is refused ----------------------------------------------------------------------------


def test_a_model_without_ears_says_what_it_takes(runner: MultimodalRunner, tmp_path: Path):
    with pytest.raises(UnsupportedTask, match="takes pictures and clips, no sounds"):
        result(runner, request(Task.ANY_TO_ANY, tone(tmp_path), prompt=ASKED))


def test_a_broken_picture_is_told(runner: MultimodalRunner, tmp_path: Path):
    whole = picture(tmp_path).read()
    half = kept(tmp_path, whole[: len(whole) // 2], "image", "image/png")
    with pytest.raises(BadMedia):
        result(runner, request(Task.IMAGE_TEXT_TO_TEXT, half, prompt=ASKED))


def test_a_picture_that_is_gone_is_told(runner: MultimodalRunner, tmp_path: Path):
    gone = conversation(Task.ANY_TO_ANY, says("user", picture(tmp_path), ASKED), media=())
    with pytest.raises(BadMedia, match="no longer kept"):
        result(runner, gone)


def test_unloading_lets_go_of_the_model(tmp_path: Path):
    import gc
    import weakref

    one = open_runner(llava(tmp_path / "llava"))
    assert isinstance(one, MultimodalRunner)
    result(one, about(tmp_path))
    model = weakref.ref(one._model)
    one.unload()
    gc.collect()
    assert model() is None
