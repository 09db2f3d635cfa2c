from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_chat.errors import InvalidRequest
from inference_chat.events import Timing, Usage
from inference_chat.schema import AudioPart, ImagePart, Link, Sound, TextPart, VideoPart
from inference_chat.sessions.store import Sessions

CODE = "Look:\n\n```python\ndef f():\n    return '# no heading'\n```"


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    opened = Sessions(f"sqlite:{tmp_path / 'chat.db'}")
    yield opened
    opened.close()


@pytest.fixture
def exported(sessions: Sessions) -> dict[str, Any]:
    session = sessions.create("me", model="m@1", system_prompt="Be kind.\nBe brief.", title="On code")
    parts = (TextPart(text="What is this?"), ImagePart(image_url=Link(url="https://example.org/a.png")))
    _, reply = sessions.add_turn(session.id, parts, parent_id=None, model="m@1")
    sessions.finish(reply.id, status="complete", text=CODE, usage=Usage(), timing=Timing(total_ms=0.25))
    _, second = sessions.add_turn(session.id, "More", parent_id=reply.id, model="big@2")
    sessions.finish(second.id, status="cancelled", text="```js\nlet x", error={"code": "x"}, notes=["n"])
    return sessions.export(session.id)


def test_markdown_says_who_spoke_and_leaves_code_alone(sessions: Sessions, exported: dict[str, Any]):
    assert (
        sessions.markdown(sessions.load("me", exported).id)
        == f"""# On code

**System prompt**

> Be kind.
> Be brief.

## You

What is this?

[attached image](<https://example.org/a.png>)

## Assistant (m@1)

{CODE}

## You

More

## Assistant (big@2), stopped

```js
let x
```
"""
    )


def test_files_inside_a_message_are_only_mentioned(sessions: Sessions):
    session = sessions.create("me")
    url = Link(url="data:video/mp4;base64,AAAA")
    parts = (VideoPart(video_url=url), AudioPart(input_audio=Sound(data="AAAA")))
    sessions.add_turn(session.id, parts, parent_id=None, model=None)
    text = sessions.markdown(session.id)
    assert "# Video" in text
    assert "*(attached video)*\n\n*(attached sound)*" in text
    assert "AAAA" not in text


def test_an_export_is_loaded_into_another_database(sessions: Sessions, exported, tmp_path: Path):
    other = Sessions(f"sqlite:{tmp_path / 'other.db'}")
    loaded = other.load("you", exported)
    path = other.path(loaded.id)
    other.close()
    assert [message.content for message in path][1] == CODE
    assert (loaded.title, loaded.owner, loaded.system_prompt) == ("On code", "you", "Be kind.\nBe brief.")
    assert path[1].timing == Timing(total_ms=0.25)
    assert (path[3].error, path[3].notes, path[3].status) == ({"code": "x"}, ("n",), "cancelled")
    assert not {message.id for message in path} & {message["id"] for message in exported["messages"]}


def test_a_reply_that_was_being_written_comes_in_as_interrupted(sessions: Sessions):
    session = sessions.create("me")
    sessions.add_turn(session.id, "hi", parent_id=None, model=None)
    loaded = sessions.load("me", sessions.export(session.id))
    assert sessions.path(loaded.id)[1].status == "interrupted"


@pytest.mark.parametrize(
    ("where", "value", "place"),
    [
        (("format",), "inference-chat/9", "format"),
        (("format",), None, "format"),
        (("session", "settings"), 3, "session.settings"),
        (("session", "head_id"), "nowhere", "session.head_id"),
        (("messages",), {}, "messages"),
        (("messages", 0), "text", "messages.0"),
        (("messages", 1, "role"), "robot", "messages.1.role"),
        (("messages", 1, "surprise"), 1, "messages.1.surprise"),
        (("messages", 1, "session_id"), "x", "messages.1.session_id"),
        (("messages", 0, "parent_id"), "later", "messages.0.parent_id"),
        (("messages", 0, "content", 1, "type"), "hologram", "messages.0.content"),
        (("messages", 0, "created_at"), "yesterday", "messages.0.created_at"),
    ],
)
def test_a_malformed_import_names_the_place_and_adds_nothing(
    sessions: Sessions, exported, where, value, place
):
    target = exported
    for step in where[:-1]:
        target = target[step]
    target[where[-1]] = value
    with pytest.raises(InvalidRequest, match=f"^{place}"):
        sessions.load("you", exported)
    assert sessions.list("you") == []


def test_an_id_that_comes_twice_is_refused(sessions: Sessions, exported):
    exported["messages"].append(exported["messages"][0])
    with pytest.raises(InvalidRequest, match=r"^messages\.4\.id"):
        sessions.load("you", exported)


def test_the_least_an_import_needs_is_its_format(sessions: Sessions):
    loaded = sessions.load("me", {"format": "inference-chat/1"})
    assert (loaded.title, sessions.path(loaded.id)) == ("", [])
