import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

FIXED = {"max_tokens": 6, "temperature": 0}


def events(text: str) -> list[Any]:
    """The frames of an event stream, each checked against its event's name."""
    frames = []
    for block in text.strip().split("\n\n"):
        name, _, data = block.partition("\n")
        frames.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {frames[-1]['type']}"
    return frames


def test_the_common_answer(http: httpx.Client):
    answer = http.post("/inference/text", json={"prompt": "Once", "parameters": FIXED}).json()
    assert answer["model"] == "tiny-llama@1.0.0"
    assert answer["task"] == "text-generation"
    assert answer["usage"]["completion_tokens"] == 6
    assert answer["finish_reason"] == "length"
    assert answer["timing"].keys() >= {"queue_ms", "load_ms", "first_token_ms", "total_ms"}
    assert answer["id"]
    assert answer["cached"] in (True, False)


def test_a_stream_says_the_same_as_the_answer(http: httpx.Client):
    body = {"messages": [{"role": "user", "content": "Hi"}], "parameters": FIXED, "use_cache": False}
    whole = http.post("/inference/text", json=body).json()
    streamed = http.post("/inference/text", json=body | {"stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    frames = events(streamed.text)
    tokens = [frame for frame in frames if frame["type"] == "token"]
    assert "".join(token["text"] for token in tokens) == whole["output"]["text"]
    assert [token["index"] for token in tokens] == list(range(len(tokens)))
    assert frames[-1]["type"] == "result"
    assert frames[-1]["result"]["output"] == whole["output"]


def test_several_answers_and_log_probabilities(http: httpx.Client):
    parameters = {"max_tokens": 3, "temperature": 1, "seed": 1, "n": 2, "logprobs": 2}
    output = http.post("/inference/text", json={"prompt": "A", "parameters": parameters}).json()["output"]
    assert output["text"] == output["texts"][0]
    assert len(output["texts"]) == 2
    assert len(output["tokens"][0]["top"]) == 2


def test_a_repeatable_answer_is_kept(http: httpx.Client):
    http.post("/cache/clear").raise_for_status()
    body = {"prompt": "Again", "parameters": FIXED}
    first, second = (http.post("/inference/text", json=body).json() for _ in range(2))
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["output"] == second["output"]
    stats = http.get("/cache/stats").json()
    assert (stats["hits"], stats["misses"], stats["size"], stats["hit_rate"]) == (1, 1, 1, 0.5)
    assert http.post("/cache/clear").json()["size"] == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"prompt": ""}, 422, "invalid_request"),
        ({"prompt": "  "}, 422, "invalid_request"),
        ({"prompt": "x", "messages": [{"role": "user", "content": "x"}]}, 422, "invalid_request"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 422, "invalid_request"),
        ({"prompt": "x", "colour": "red"}, 422, "invalid_request"),
        ({"prompt": "x", "parameters": {"max_tokens": -1}}, 422, "invalid_request"),
        ({"prompt": "x", "parameters": {"colour": "red"}}, 422, "invalid_request"),
        ({"prompt": "x", "parameters": {"temperature": "hot"}}, 422, "invalid_request"),
        ({"prompt": "x", "timeout_ms": 0}, 422, "invalid_request"),
        ({"prompt": "x", "task": "mind-reading"}, 422, "unsupported_task"),
        ({"prompt": "x", "model": "nobody"}, 404, "model_not_found"),
        ({"prompt": "x", "model": "tiny-llama@7"}, 404, "version_not_found"),
        ({"prompt": "x" * 1_000_000}, 413, "too_large"),
        ({"prompt": "x" * 1_000_000, "stream": True}, 413, "too_large"),
    ],
)
def test_bad_requests(http: httpx.Client, body: dict[str, Any], status: int, code: str):
    answer = http.post("/inference/text", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(answer.text) < 2000


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]", b"null", b'{"prompt": "\\ud800"}'])
def test_what_is_no_json_object_is_refused(http: httpx.Client, content: bytes):
    answer = http.post("/inference/text", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_deadline_stops_the_compute(server: Server, http: httpx.Client):
    body = {"prompt": "x", "parameters": {"max_tokens": 7000}, "timeout_ms": 1}
    answer = http.post("/inference/text", json=body)
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")


def test_a_deadline_of_a_stream_is_its_last_frame(http: httpx.Client):
    body = {"prompt": "x", "parameters": {"max_tokens": 7000}, "timeout_ms": 1, "stream": True}
    last = events(http.post("/inference/text", json=body).text)[-1]
    assert (last["type"], last["status"], last["code"]) == ("error", 504, "timeout")


def test_too_many_requests_are_refused(tmp_path: Path):
    models = tmp_path / "models"
    tiny.card(tiny.endless(tiny.build(models / "tiny-llama", window=8192)))
    limits = {"max_concurrent_inference": 1, "max_queued_inference": 0}
    body = {"prompt": "x", "parameters": {"max_tokens": 7000, "temperature": 0}, "stream": True}
    with serving(Service(settings(tmp_path, models, **limits))) as server, server.http() as http:
        with http.stream("POST", "/inference/text", json=body):
            answer = http.post("/inference/text", json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert "retry-after" in answer.headers


def test_callers_are_counted(tmp_path: Path):
    with serving(Service(settings(tmp_path, rate_limit="2/minute"))) as server, server.http() as http:
        answers = [http.get("/models") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].json()["code"] == "rate_limited"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert http.get("/healthz").status_code == 200
