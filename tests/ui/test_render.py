"""What the page shows of a message."""

from datetime import UTC, datetime

import pytest

from inference_chat.events import Event, Finished, Progress, TextDelta, Timing, Usage
from inference_chat.sessions.messages import ChatMessage
from inference_chat.ui.render import Live, blocks, figures, message_view, reasoning, seconds

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def message(**fields: object) -> ChatMessage:
    base = {"id": "m", "session_id": "s", "role": "assistant", "content": "", "created_at": NOW}
    return ChatMessage.model_validate(base | fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", ("", "hello", True)),
        ("<think>a</think>b", ("a", "b", True)),
        ("\n<think>\na", ("a", "", False)),
        ("a</think>\n\nb", ("a", "b", True)),
        ("what is <think>?", ("", "what is <think>?", True)),
    ],
)
def test_reasoning_is_told_from_the_answer(text: str, expected: tuple[str, str, bool]):
    assert reasoning(text) == expected


def test_reasoning_is_folded_and_escaped():
    folded, answer = blocks("<think><b>hm</b></think>Yes")
    assert "<details" in folded
    assert "&lt;b&gt;hm" in folded
    assert answer.strip() == "<p>Yes</p>"


def test_a_live_reply_takes_each_event_once():
    live = Live(text="so ")
    log: list[Event] = [Progress(phase="reading", fraction=1.0), TextDelta(text="far")]
    live.take(log)
    live.take([*log, TextDelta(text="!"), Finished()])
    assert (live.text, live.phase, live.fraction, live.over) == ("so far!", "answering", None, True)


def test_only_what_is_new_is_sent():
    live = Live()
    live.take([TextDelta(text="one\n\ntwo\n\nthree")])
    first = live.shown(0)
    assert (first["from"], first["finished"], len(first["blocks"])) == (0, 2, 3)
    assert len(live.shown(first["finished"])["blocks"]) == 1


def test_blocks_that_the_page_claims_to_have_are_not_believed():
    live = Live()
    live.take([TextDelta(text="one")])
    assert live.shown(99)["from"] == 0


def test_other_choices_are_not_shown():
    live = Live()
    live.take([TextDelta(text="a"), TextDelta(text="b", choice=1)])
    assert live.text == "a"


def test_figures_name_tokens_speed_and_waiting():
    timing = Timing(first_token_ms=120, decode_ms=1000, total_ms=1120)
    done = message(usage=Usage(prompt_tokens=9, completion_tokens=11), timing=timing)
    expected = "11 tokens · 10.0 tokens/s · first token 120 ms · total 1.1 s · prompt 9 tokens"
    assert figures(done) == expected


def test_a_message_without_figures_shows_none():
    assert figures(message()) == ""


def test_a_persons_words_are_not_rendered():
    view = message_view(message(role="user", content="**<b>**"))
    assert (view["text"], view["blocks"]) == ("**<b>**", [])


@pytest.mark.parametrize(("given", "shown"), [(0, "0 ms"), (999, "999 ms"), (1500, "1.5 s")])
def test_seconds(given: float, shown: str):
    assert seconds(given) == shown
