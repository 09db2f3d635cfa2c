from pathlib import Path
from typing import Any

import httpx
import pytest

from inference_chat.service import Service
from tests.server import one_model, serving, settings

from .test_inference import events

HTML = "<script>alert(1)</script> & <b>bold</b>"
WORLD = "שלום 👋🏽 مرحبا 🏳️‍🌈 \u202eabc"


def say(http: httpx.Client, session: str, content: Any, **more: Any) -> Any:
    answer = http.post(f"/chat/{session}/message", json={"content": content, **more})
    return answer.raise_for_status().json()["message"]


def texts(http: httpx.Client, session: str) -> list[str]:
    messages = http.get(f"/chat/{session}/history", params={"limit": 1000}).json()["messages"]
    return [message["content"] for message in messages]


def test_a_conversation(http: httpx.Client, session: str):
    reply = say(http, session, "Hello")
    assert reply.keys() >= {
        "id",
        "role",
        "content",
        "model",
        "created_at",
        "usage",
        "timing",
        "finish_reason",
    }
    assert (reply["role"], reply["model"]) == ("assistant", "tiny-llama@1.0.0")
    assert texts(http, session) == ["Hello", reply["content"]]
    assert http.get(f"/chat/{session}").json()["title"] == "Hello"


def test_a_streamed_reply_is_the_stored_one(http: httpx.Client, session: str):
    answer = http.post(f"/chat/{session}/message", json={"content": "Hello", "stream": True})
    frames = events(answer.text)
    tokens = "".join(frame["text"] for frame in frames if frame["type"] == "token")
    assert frames[0]["user"]["content"] == "Hello"
    assert frames[-1]["type"] == "message"
    assert frames[-1]["message"]["content"] == tokens == texts(http, session)[-1]


@pytest.mark.parametrize("content", [HTML, WORLD, "  leading\n\n    code\n", "\x00\x01"])
def test_words_come_back_as_they_were(http: httpx.Client, session: str, content: str):
    say(http, session, content)
    assert texts(http, session)[0] == content.replace("\x00", "")
    exported = http.get(f"/chat/{session}/export").json()
    again = http.post("/chat/import", json=exported)
    assert again.status_code == 201
    assert texts(http, again.json()["session_id"]) == texts(http, session)


def test_editing_and_asking_again_keep_everything(http: httpx.Client, session: str):
    first = say(http, session, "One")
    again = http.post(f"/chat/{session}/regenerate").json()["message"]
    assert again["siblings"] == [first["id"], again["id"]]
    edited = say(http, session, "Two", parent_id=None)
    assert texts(http, session)[0] == "Two"
    http.post(f"/chat/{session}/select", json={"message_id": first["id"]}).raise_for_status()
    assert texts(http, session) == ["One", first["content"]]
    assert edited["id"] not in again["siblings"]


def test_a_cut_reply_goes_on(http: httpx.Client, session: str):
    first = say(http, session, "Tell me")
    longer = http.post(f"/chat/{session}/continue").json()["message"]
    assert longer["id"] == first["id"]
    assert longer["content"].startswith(first["content"])
    frames = events(http.post(f"/chat/{session}/continue", json={"stream": True}).text)
    assert frames[0]["text"] == longer["content"]


def test_feedback(http: httpx.Client, session: str):
    reply = say(http, session, "Hello")
    where = f"/chat/{session}/messages/{reply['id']}/feedback"
    assert http.put(where, json={"feedback": "like"}).json()["message"]["feedback"] == "like"
    assert http.put(where, json={"feedback": None}).json()["message"]["feedback"] is None
    assert http.put(where, json={"feedback": "meh"}).status_code == 422


def test_history_in_pages(http: httpx.Client, session: str):
    for number in range(3):
        say(http, session, f"Number {number}")
    page = http.get(f"/chat/{session}/history", params={"limit": 4}).json()
    older = http.get(f"/chat/{session}/history", params={"before": page["messages"][0]["id"]}).json()
    assert (len(page["messages"]), page["has_more"]) == (4, True)
    assert (len(older["messages"]), older["has_more"]) == (2, False)


def test_list_search_rename_delete_restore(http: httpx.Client, session: str):
    say(http, session, "A rare word: xylophone")
    found = http.get("/chat", params={"q": "XYLOPHONE"}).json()["items"]
    assert [one["session_id"] for one in found] == [session]
    assert http.patch(f"/chat/{session}", json={"title": "Music"}).json()["title"] == "Music"
    assert http.delete(f"/chat/{session}").status_code == 204
    assert http.get(f"/chat/{session}").json()["code"] == "session_not_found"
    assert http.post(f"/chat/{session}/restore").json()["title"] == "Music"


def test_clear(http: httpx.Client, session: str):
    say(http, session, "Hello")
    assert http.post(f"/chat/{session}/clear").json()["head_id"] is None
    assert texts(http, session) == []


def test_export_as_a_document(http: httpx.Client, session: str):
    say(http, session, "Hello")
    answer = http.get(f"/chat/{session}/export", params={"format": "markdown"})
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "Hello" in answer.text


def test_stop_without_a_reply(http: httpx.Client, session: str):
    assert http.post(f"/chat/{session}/stop").json() == {"stopped": False}


def test_one_reply_at_a_time_and_stop(http: httpx.Client, session: str):
    long = {"content": "go", "settings": {"max_tokens": 7000, "temperature": 0}, "stream": True}
    with http.stream("POST", f"/chat/{session}/message", json=long) as answer:
        lines = answer.iter_lines()
        while "event: token" not in next(lines):
            pass
        busy = http.post(f"/chat/{session}/message", json={"content": "too soon"})
        assert (busy.status_code, busy.json()["code"]) == (409, "session_busy")
        assert http.post(f"/chat/{session}/stop").json() == {"stopped": True}
        assert '"finish_reason": "cancelled"' in "".join(lines)
    last = http.get(f"/chat/{session}/history").json()["messages"][-1]
    assert (last["role"], last["status"]) == ("assistant", "cancelled")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"content": ""}, 422, "invalid_request"),
        ({"content": []}, 422, "invalid_request"),
        ({"content": [{"type": "smell"}]}, 422, "invalid_request"),
        ({"content": "x", "model": "nobody"}, 404, "model_not_found"),
        ({"content": "x", "settings": {"max_tokens": "many"}}, 422, "invalid_request"),
        ({"content": "x", "parent_id": "nobody"}, 404, "message_not_found"),
        ({"content": "x" * 1_000_000}, 413, "too_large"),
    ],
)
def test_bad_messages_leave_nothing_behind(
    http: httpx.Client, session: str, body: dict[str, Any], status: int, code: str
):
    answer = http.post(f"/chat/{session}/message", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert texts(http, session) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/history"), ("GET", "/export"),
        ("POST", "/message"), ("POST", "/regenerate"), ("POST", "/continue"), ("POST", "/stop"),
        ("POST", "/clear"), ("POST", "/restore"), ("POST", "/select"),
    ],
)  # fmt: skip
def test_unknown_conversations(http: httpx.Client, method: str, path: str):
    body = {"/message": {"content": "x"}, "/select": {"message_id": "x"}, "": {"title": "x"}}.get(path)
    answer = http.request(method, f"/chat/nobody{path}", json=body if method != "GET" else None)
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


@pytest.mark.parametrize("body", [{}, {"format": "other/9"}, {"format": "inference-chat/1", "messages": 7}])
def test_bad_imports(http: httpx.Client, body: dict[str, Any]):
    answer = http.post("/chat/import", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_switching_the_model_carries_on(tmp_path: Path, tiny_llama: Path):
    from tests import tiny

    models = one_model(tmp_path / "models", tiny_llama)
    tiny.card(tiny.build(models / "other", seed=1), name="other")
    with serving(Service(settings(tmp_path, models))) as server, server.http() as http:
        started = http.post("/chat/start", json={"model": "tiny-llama", "settings": {"max_tokens": 4}})
        session = started.json()["session_id"]
        say(http, session, "Hello")
        assert say(http, session, "And you?", model="other")["model"] == "other@1.0.0"
        assert say(http, session, "Still you?")["model"] == "other@1.0.0"
        assert len(texts(http, session)) == 6
