"""What a model reads: templates of all kinds, windows that are too small, messages to go on from."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.errors import InvalidRequest, TooLarge, UnsupportedTask
from inference_chat.runners.prompt import Prompt, PromptBuilder
from inference_chat.schema import AudioPart, Message, Sound, TextPart
from tests import tiny

from .models import assistant, request, system, user

REFUSES_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
)
TRIMS = tiny.CHAT_TEMPLATE.replace("m.content", "m.content | trim")


def build(*asked: Message | str, template: str | None = tiny.CHAT_TEMPLATE, window=256, room=16) -> Prompt:
    return built(*asked, template=template, window=window, room=room)[0]


def read(*asked: Message | str, template: str | None = tiny.CHAT_TEMPLATE, window=256, room=16) -> str:
    """The text that the model reads."""
    prompt, tokenizer = built(*asked, template=template, window=window, room=room)
    return tokenizer.decode(prompt.ids)


def built(*asked: Message | str, template: str | None, window: int, room: int) -> tuple[Prompt, Any]:
    tokenizer = tiny._tokenizer(window)
    tokenizer.chat_template = template
    words = asked[0] if isinstance(asked[0], str) else tuple(m for m in asked if isinstance(m, Message))
    return PromptBuilder(tokenizer, window, "tiny").build(request(words), room), tokenizer


def test_a_chat_is_read_through_its_template():
    wanted = "<|system|>be kind<|end|><|user|>hi<|end|><|assistant|>"
    assert read(system("be kind"), user("hi")) == wanted


def test_text_parts_are_joined():
    parts = (TextPart(text="one"), TextPart(text="two"))
    assert read(Message(role="user", content=parts)) == "<|user|>one\ntwo<|end|><|assistant|>"


def test_other_parts_are_refused():
    sound = Message(role="user", content=(AudioPart(input_audio=Sound(data="")),))
    with pytest.raises(UnsupportedTask, match="input_audio"):
        build(sound)


def test_without_a_template_the_texts_go_on():
    prompt = build(user("the one"), assistant("in"), template=None)
    assert "no chat template" in prompt.notes[0]
    assert read(user("the one"), assistant("in"), template=None) == "the one\nin"


@pytest.mark.parametrize("asked", ["", user("")], ids=["prompt", "message"])
def test_nothing_to_read_is_refused(asked: str | Message):
    with pytest.raises(InvalidRequest, match="empty"):
        build(asked, template=None)


def test_a_prompt_is_gone_on_with_and_says_so_where_an_answer_could_be_meant():
    assert "send `messages`" in build("the").notes[0]
    assert not build("the", template=None).notes


def test_a_prompt_is_not_closed_before_it_is_continued():
    tokenizer = tiny._tokenizer(256)
    closed = PromptBuilder(Closing(tokenizer), 256, "tiny").build(request("the"), 16)
    assert closed.ids == tokenizer("the")["input_ids"]


class Closing:
    """A tokenizer that puts its end to every text."""

    chat_template = None

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.eos_token_id = inner.eos_token_id

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [*self._inner(text)["input_ids"], self.eos_token_id]}


# --- templates with a will of their own ---------------------------------------------------------


def test_a_system_prompt_that_is_refused_goes_before_the_first_question():
    found = read(system("be kind"), user("hi"), template=REFUSES_SYSTEM + tiny.CHAT_TEMPLATE)
    assert found == "<|user|>be kind\n\nhi<|end|><|assistant|>"


def test_a_refused_system_prompt_before_a_greeting_becomes_a_question():
    asked = (system("be kind"), assistant("hello"), user("hi"))
    found = read(*asked, template=REFUSES_SYSTEM + tiny.CHAT_TEMPLATE)
    assert found.startswith("<|user|>be kind<|end|><|assistant|>hello<|end|>")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages[0].content + 1 }}", "TypeError"),
        ("{{ messages[7].content }}", "no element 7"),
        ("{% if %}", "TemplateSyntaxError|Expected an expression"),
    ],
)
@pytest.mark.parametrize("before", [(), (system("be kind"),)], ids=["alone", "after a system prompt"])
def test_a_failing_template_refuses_the_request(template: str, said: str, before: tuple[Message, ...]):
    with pytest.raises(InvalidRequest, match=said) as failure:
        build(*before, user("hi"), template=template)
    assert "/" not in failure.value.detail


def test_a_template_that_drops_the_answer_to_continue_is_refused():
    with pytest.raises(InvalidRequest):
        build(user("hi"), assistant("he"), template="{{ messages[0].content }}")


# --- going on -----------------------------------------------------------------------------------


@pytest.mark.parametrize("template", [tiny.CHAT_TEMPLATE, TRIMS], ids=["exact", "trims"])
@pytest.mark.parametrize("begun", ["the", "the ", "the\n\n", " the", "end", "assistant"])
def test_a_cut_answer_goes_on_where_it_ended(template: str, begun: str):
    found = read(user("hi"), assistant(begun), template=template)
    kept = begun if template == tiny.CHAT_TEMPLATE else begun.lstrip()
    assert found == f"<|user|>hi<|end|><|assistant|>{kept}"


def test_an_answer_that_has_no_word_yet_is_begun():
    assert read(user("hi"), assistant("")) == read(user("hi"))


def test_only_continued_text_has_a_context():
    assert not build(user("hi")).context
    assert build(user("hi"), assistant("the")).context
    assert build("hi").context


# --- windows ------------------------------------------------------------------------------------

TURNS = tuple(turn for i in range(10) for turn in (user(f"ask {i}"), assistant(f"say {i}")))


def test_the_oldest_turns_are_left_out_whole_and_the_system_prompt_stays():
    found = read(system("be kind"), *TURNS, user("last"), window=128)
    assert found.startswith("<|system|>be kind<|end|><|user|>ask ")
    assert found.endswith("say 9<|end|><|user|>last<|end|><|assistant|>")


def test_what_was_left_out_is_told():
    prompt = build(system("be kind"), *TURNS, user("last"), window=128)
    (note,) = prompt.notes
    assert "messages were left out" in note
    assert "128 tokens" in note


def test_a_greeting_that_fits_is_kept():
    assert "hello" in read(assistant("hello"), user("hi"))


@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=12), room=st.integers(1, 200))
def test_as_many_turns_are_kept_as_fit(sizes: list[int], room: int):
    turns = [user("x" * size) for size in sizes]
    # One letter is one token here, and a word in <||> too.
    tokens = [sum(size + 2 for size in sizes[i:]) + 1 for i in range(len(sizes))]
    wanted = next((count for count in tokens if count + min(room, 64) <= 128), tokens[-1])
    assert len(build(*turns, window=128, room=room).ids) == wanted


@pytest.mark.parametrize("asked", ["x" * 256, user("x" * 256)], ids=["prompt", "message"])
def test_a_text_longer_than_the_window_is_too_large(asked: str | Message):
    with pytest.raises(TooLarge, match="255 at most"):
        build(*([] if isinstance(asked, str) else TURNS), asked)


def test_the_last_message_may_fill_all_but_one_token():
    assert len(build("x" * 255, room=100).ids) == 255


@given(content=st.text(min_size=1, max_size=20))
def test_any_text_can_be_asked_and_continued(content: str):
    found = read(user(content), assistant(content))
    assert found == f"<|user|>{content}<|end|><|assistant|>{content}"


@pytest.mark.parametrize(
    "escape",
    [
        "''.__class__.__mro__[1].__subclasses__()",
        "cycler.__init__.__globals__.os.system('touch escaped')",
        "messages.append(messages[0])",
        "self.__init__.__globals__",
    ],
)
def test_a_template_reaches_nothing_outside_of_it(escape: str, tmp_path: Path):
    with pytest.raises(InvalidRequest, match="template"):
        build(user("hi"), template="{{ " + escape + " }}")
    assert list(tmp_path.iterdir()) == []  # each test has this folder as its working directory
