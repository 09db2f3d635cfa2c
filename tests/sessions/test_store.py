import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_chat.database import open_database
from inference_chat.errors import Conflict, InvalidRequest, MessageNotFound, SessionNotFound
from inference_chat.events import Receipt, Timing, Usage
from inference_chat.schema import ImagePart, Link, TextPart
from inference_chat.sessions.store import ChatMessage, Session, Sessions

from ..databases import KINDS, database_urls

ROOT = Path(__file__).parents[2]
PICTURE = ImagePart(image_url=Link(url="data:image/png;base64,AAAA"))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield from database_urls(tmp_path, request.param)


@pytest.fixture
def sessions(url: str) -> Iterator[Sessions]:
    opened = Sessions(url)
    yield opened
    opened.close()


@pytest.fixture
def session(sessions: Sessions) -> Session:
    return sessions.create("me", model="m@1", system_prompt="Be kind.", settings={"top_p": 0.9})


def turn(
    sessions: Sessions, session: Session, said: str, reply: str, parent: str | None = None
) -> ChatMessage:
    _, answer = sessions.add_turn(session.id, said, parent_id=parent, model="m@1")
    return sessions.finish(answer.id, status="complete", text=reply)


def texts(sessions: Sessions, session: Session) -> list[str]:
    return [message.text for message in sessions.path(session.id)]


# --- conversations ------------------------------------------------------------------------------


def test_a_conversation_is_there_after_a_restart(url: str):
    first = Sessions(url)
    created = first.create("me", title="T", settings={"a": [1, None]})
    first.close()
    second = Sessions(url)
    assert second.get(created.id, "me") == created
    second.close()


def test_another_owner_sees_nothing(sessions: Sessions, session: Session):
    with pytest.raises(SessionNotFound):
        sessions.get(session.id, "you")
    assert sessions.list("you") == []


def test_lists_start_with_the_one_used_last(sessions: Sessions):
    first, second, third = (sessions.create("me") for _ in range(3))
    sessions.add_turn(first.id, "hi", parent_id=None, model=None)
    found = sessions.list("me")
    assert [item.id for item in found] == [first.id, third.id, second.id]
    assert sessions.list("me", limit=1) == found[:1]
    assert sessions.list("me", before=found[0].updated_at) == found[1:]


@pytest.mark.parametrize("query", ["GRÜSSE", "grüße"[:3], "100%", "under_score", "titel", "back\\slash"])
def test_search_finds_titles_and_messages_in_any_case(sessions: Sessions, session: Session, query: str):
    turn(sessions, session, "Viele grüsse, 100% under_score", "ein back\\slash")
    sessions.update(session.id, title="Ein TITEL")
    sessions.create("me", title="something else")
    assert [found.id for found in sessions.list("me", query=query)] == [session.id]


@pytest.mark.parametrize("query", ["1%0", "underXscore", "_", "x" * 60_000])
def test_search_takes_wildcards_as_they_stand(sessions: Sessions, session: Session, query: str):
    turn(sessions, session, "100 under-score", "no")
    assert sessions.list("me", query=query) == []


def test_updates_change_what_may_be_changed(sessions: Sessions, session: Session):
    changed = sessions.update(session.id, title="New \0title", settings={"seed": 1}, model=None)
    assert (changed.title, changed.settings, changed.model) == ("New title", {"seed": 1}, None)
    assert changed.updated_at > session.updated_at
    assert sessions.get(session.id, "me") == changed


@pytest.mark.parametrize("fields", [{"owner": "you"}, {"head_id": "x"}, {"title": 3}, {"settings": []}])
def test_updates_refuse_the_rest(sessions: Sessions, session: Session, fields):
    with pytest.raises(InvalidRequest, match=next(iter(fields))):
        sessions.update(session.id, **fields)
    assert sessions.get(session.id, "me") == session


def test_a_deleted_conversation_comes_back_whole(sessions: Sessions, session: Session):
    turn(sessions, session, "hi", "hello")
    sessions.delete(session.id)
    with pytest.raises(SessionNotFound):
        sessions.get(session.id, "me")
    with pytest.raises(SessionNotFound):
        sessions.add_turn(session.id, "x", parent_id=None, model=None)
    assert sessions.list("me") == []
    assert sessions.get(session.id, "me", deleted=True).deleted_at
    sessions.restore(session.id)
    assert texts(sessions, sessions.get(session.id, "me")) == ["hi", "hello"]


def test_purge_removes_only_what_was_deleted_long_enough_ago(sessions: Sessions, session: Session):
    kept = sessions.create("me")
    turn(sessions, session, "hi", "hello")
    sessions.delete(session.id)
    assert sessions.purge(timedelta(hours=1)) == 0
    assert sessions.purge(timedelta(0)) == 1
    assert sessions.list("me") == [kept]
    with pytest.raises(SessionNotFound):
        sessions.restore(session.id)


# --- turns --------------------------------------------------------------------------------------


def test_a_turn_is_a_message_and_an_empty_reply(sessions: Sessions, session: Session):
    said, reply = sessions.add_turn(session.id, "Tell me a story", parent_id=None, model="m@1")
    assert (said.role, said.status, said.model, said.parent_id) == ("user", "complete", None, None)
    assert (reply.role, reply.status, reply.model, reply.parent_id) == (
        "assistant",
        "writing",
        "m@1",
        said.id,
    )
    now = sessions.get(session.id, "me")
    assert (now.head_id, now.title) == (reply.id, "Tell me a story")
    assert sessions.path(session.id) == [said, reply]


def test_a_reply_grows_and_ends_with_all_there_is_to_know(sessions: Sessions, session: Session):
    _, reply = sessions.add_turn(session.id, "hi", parent_id=None, model="m@1")
    sessions.write(reply.id, "Hel")
    assert sessions.message(session.id, reply.id).content == "Hel"
    done = sessions.finish(
        reply.id,
        status="complete",
        text="Hello",
        finish_reason="stop",
        usage=Usage(prompt_tokens=3, completion_tokens=1),
        timing=Timing(total_ms=5.5),
        receipt=Receipt(model="m@1", seed=4),
        notes=["two turns were left out"],
        error={"code": "x", "detail": "y"},
        model="m@2",
    )
    assert done == sessions.message(session.id, reply.id)
    assert (done.usage, done.timing, done.model) == (
        Usage(prompt_tokens=3, completion_tokens=1),
        Timing(total_ms=5.5),
        "m@2",
    )
    assert done.receipt is not None
    assert (done.receipt["seed"], done.notes) == (4, ("two turns were left out",))


def test_a_late_checkpoint_does_not_undo_the_end(sessions: Sessions, session: Session):
    _, reply = sessions.add_turn(session.id, "hi", parent_id=None, model=None)
    sessions.finish(reply.id, status="cancelled", text="whole")
    sessions.write(reply.id, "ha")
    assert sessions.message(session.id, reply.id).content == "whole"


def test_a_cut_reply_can_go_on(sessions: Sessions, session: Session):
    _, reply = sessions.add_turn(session.id, "hi", parent_id=None, model=None)
    with pytest.raises(Conflict):
        sessions.reopen(reply.id)
    sessions.finish(reply.id, status="cancelled", text="Hel")
    assert (sessions.reopen(reply.id).status, sessions.message(session.id, reply.id).text) == (
        "writing",
        "Hel",
    )


def test_editing_and_asking_again_keep_the_branches(sessions: Sessions, session: Session):
    first = turn(sessions, session, "a", "1")
    last = turn(sessions, session, "b", "2", first.id)
    edited = turn(sessions, session, "B", "3", first.id)
    again = sessions.add_reply(session.id, parent_id=str(edited.parent_id), model="m@2")
    assert texts(sessions, session) == ["a", "1", "B", ""]
    path = sessions.path(session.id)
    assert [len(message.siblings) for message in path] == [1, 1, 2, 2]
    assert path[-1].siblings == (edited.id, again.id)
    assert sessions.select(session.id, str(last.parent_id)).head_id == last.id
    assert texts(sessions, session) == ["a", "1", "b", "2"]
    assert [message.id for message in sessions.path(session.id, edited.id)][-1] == edited.id


def test_choosing_an_old_message_shows_the_newest_end_below_it(sessions: Sessions, session: Session):
    first = turn(sessions, session, "a", "1")
    turn(sessions, session, "b", "2", first.id)
    newest = turn(sessions, session, "c", "3", first.id)
    other = turn(sessions, session, "z", "9")
    assert sessions.get(session.id, "me").head_id == other.id
    assert sessions.select(session.id, first.id).head_id == newest.id


def test_messages_of_another_conversation_are_not_found(sessions: Sessions, session: Session):
    other = sessions.create("me")
    said, _ = sessions.add_turn(other.id, "hi", parent_id=None, model=None)
    for attempt in (
        lambda: sessions.add_turn(session.id, "x", parent_id=said.id, model=None),
        lambda: sessions.add_reply(session.id, parent_id=said.id, model=None),
        lambda: sessions.select(session.id, said.id),
        lambda: sessions.path(session.id, said.id),
        lambda: sessions.message(session.id, said.id),
        lambda: sessions.history(session.id, before=said.id),
    ):
        with pytest.raises(MessageNotFound):
            attempt()
    assert sessions.path(session.id) == []


def test_a_cleared_conversation_is_empty_and_its_reply_gone(sessions: Sessions, session: Session):
    _, reply = sessions.add_turn(session.id, "hi", parent_id=None, model=None)
    assert sessions.clear(session.id).head_id is None
    assert sessions.path(session.id) == []
    for late in (
        lambda: sessions.finish(reply.id, status="complete", text="x"),
        lambda: sessions.write(reply.id, "x"),
    ):
        with pytest.raises(MessageNotFound):
            late()


def test_feedback_is_kept_and_taken_back(sessions: Sessions, session: Session):
    reply = turn(sessions, session, "a", "1")
    assert sessions.feedback(reply.id, "like").feedback == "like"
    assert sessions.feedback(reply.id, None).feedback is None
    with pytest.raises(InvalidRequest):
        sessions.feedback(reply.id, "love")  # type: ignore[arg-type]


def test_history_comes_in_pages(sessions: Sessions, session: Session):
    parent = None
    for number in range(4):
        parent = turn(sessions, session, f"q{number}", f"a{number}", parent).id
    newest, more = sessions.history(session.id, limit=3)
    assert ([message.text for message in newest], more) == (["a2", "q3", "a3"], True)
    older, more = sessions.history(session.id, limit=50, before=newest[0].id)
    assert ([message.text for message in older], more) == (["q0", "a0", "q1", "a1", "q2"], False)


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("  two\n words ", "two words"),
        ("word " * 40, "word " * 11 + "word…"),
        ("x" * 200, "x" * 60 + "…"),
        ((PICTURE,), "Image"),
        ((TextPart(text="what is this?"), PICTURE), "what is this?"),
        ("", ""),
    ],
)
def test_the_first_words_become_the_title(sessions: Sessions, session: Session, content, title: str):
    said, _ = sessions.add_turn(session.id, content, parent_id=None, model=None)
    assert sessions.get(session.id, "me").title == title
    assert sessions.message(session.id, said.id).content == content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(text=st.text())
def test_any_text_survives(sessions: Sessions, session: Session, text: str):
    said, _ = sessions.add_turn(session.id, text, parent_id=None, model=None)
    assert sessions.message(session.id, said.id).content == text.replace("\0", "")


@pytest.mark.parametrize("text", ["👩‍👩‍👧 שלום \u202eabc", "x" * 10**6, "<script>alert(1)</script>"])
def test_long_and_strange_texts_survive(sessions: Sessions, session: Session, text: str):
    reply = turn(sessions, session, text, text)
    assert [message.content for message in sessions.path(session.id, reply.id)] == [text, text]


def test_halves_of_a_pair_and_nul_do_not_stop_a_turn(sessions: Sessions, session: Session):
    said, _ = sessions.add_turn(session.id, "a\0b\ud83d", parent_id=None, model=None)
    assert sessions.message(session.id, said.id).content == "ab\ufffd"


def test_one_database_serves_several_stores(url: str):
    database = open_database(url)
    first, second = Sessions(database), Sessions(database)
    created = first.create("me")
    first.close()
    assert second.get(created.id, "me") == created
    database.close()


# --- many at once, and a killed process ---------------------------------------------------------


def test_fifty_conversations_of_ten_turns_lose_swap_and_double_nothing(sessions: Sessions):
    def converse(person: int) -> list[str]:
        session, parent = sessions.create(f"p{person}"), None
        for number in range(10):
            parent = turn(sessions, session, f"{person} says {number}", f"{person} hears {number}", parent).id
        return texts(sessions, sessions.get(session.id, f"p{person}"))

    with ThreadPoolExecutor(50) as threads:
        heard = list(threads.map(converse, range(50)))
    assert heard == [
        [f"{person} {verb} {number}" for number in range(10) for verb in ("says", "hears")]
        for person in range(50)
    ]


def test_one_conversation_written_by_many_threads_keeps_every_turn(sessions: Sessions, session: Session):
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: turn(sessions, session, f"q{number}", f"a{number}"), range(64)))
    exported = [message["content"] for message in sessions.export(session.id)["messages"]]
    assert sorted(exported) == sorted(f"{kind}{number}" for kind in "qa" for number in range(64))
    assert len(sessions.path(session.id)[0].siblings) == 64


TALKER = """
import sys
from inference_chat.sessions.store import Sessions
sessions = Sessions(sys.argv[1])
session, parent = sessions.create("me"), None
print(session.id, flush=True)
for number in range(10**6):
    said, reply = sessions.add_turn(session.id, f"q{number}", parent_id=parent, model="m")
    print("turn", number, flush=True)
    sessions.write(reply.id, "half")
    sessions.finish(reply.id, status="complete", text=f"a{number}")
    print("done", number, flush=True)
    parent = reply.id
"""


@pytest.mark.parametrize("turns", [1, 7, 20])
def test_a_killed_process_loses_nothing_it_had_acknowledged(url: str, turns: int):
    command = [sys.executable, "-c", TALKER, url]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as talker:
        assert talker.stdout is not None
        session_id = talker.stdout.readline().strip()
        acknowledged = [talker.stdout.readline().split() for _ in range(2 * turns - 1)]
        talker.send_signal(signal.SIGKILL)
        acknowledged += [line.split() for line in talker.stdout if line.endswith("\n")]
    sessions = Sessions(url)
    interrupted = sessions.mark_interrupted()
    path = sessions.path(session_id)
    sessions.close()
    stored = {message.text for message in path}
    assert {f"{'q' if kind == 'turn' else 'a'}{number}" for kind, number in acknowledged} <= stored
    assert [message.status for message in path[1::2]].count("interrupted") == interrupted <= 1
    assert all(message.status == "complete" for message in path[:-1])
