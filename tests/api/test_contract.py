"""What clients may rely on, walked through: every promised route, with its fields, at the running server."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from inference_chat import ui
from inference_chat.service import Service
from inference_chat.settings import Settings
from tests.server import Server, one_model, serving, settings

ROOT = Path(__file__).parents[2]
INPUTS = ROOT / "examples" / "inputs"
STARTERS = ("chat", "classifier", "detector", "embedder", "listener", "reader", "segmenter", "video")
PICTURE = INPUTS / "scene-2-objects.png"
CLIP = INPUTS / "clip-two-shots.mp4"
SPEECH = INPUTS / "speech" / "what-is-12-plus-7.ogg"
HELLO = [{"role": "user", "content": "Hello!"}]
RECORD = {
    *("id", "name", "version", "description", "model_type", "framework", "file_path", "file_size", "sha256"),
    *("source", "revision", "license", "tags", "capabilities", "tasks", "parameters", "status"),
    *("memory_estimate", "memory_used", "created_at", "updated_at", "metrics"),
}
METRICS = {
    *("requests", "errors", "latency_ms_p50", "latency_ms_p95", "tokens_per_second", "accuracy"),
    "last_used_at",
}
ANSWER = {"id", "model", "task", "output", "usage", "finish_reason", "timing", "cached"}
TIMING = {"queue_ms", "load_ms", "first_token_ms", "total_ms"}
MESSAGE = {"id", "role", "content", "model", "created_at", "usage", "timing", "finish_reason"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The whole program, with its page and with the models that come with it."""
    folder = tmp_path_factory.mktemp("contract")
    (folder / "models").mkdir()
    for name in ("scene-detector", *(f"starter-{one}" for one in STARTERS)):
        (folder / "models" / name).symlink_to(ROOT / "model_cards" / name)
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def asked(http: httpx.Client, method: str, path: str, status: int = 200, **more: Any) -> Any:
    answer = http.request(method, path, **more)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


# --- models ---------------------------------------------------------------------------------------


def test_model_records(http: httpx.Client):
    query = {"task": "text-generation", "framework": "transformers", "limit": 1, "offset": 0, "sort": "-name"}
    listed = asked(http, "GET", "/models", params=query)
    assert listed.keys() == {"items", "total"}
    [record] = listed["items"]
    assert record.keys() >= RECORD
    assert record["metrics"].keys() >= METRICS
    assert (record["source"], record["revision"], record["capabilities"]) == (
        "local",
        None,
        ["TextGeneration", "Chat"],
    )
    for name in ("starter-chat", "starter-chat@1.0.0"):
        assert asked(http, "GET", f"/models/{name}")["id"] == "starter-chat@1.0.0"
    versions = asked(http, "GET", "/models/starter-chat/versions")["items"]
    assert [one["version"] for one in versions] == ["1.0.0"]
    found = asked(
        http, "GET", "/models/search", params={"q": "chat", "task": "text-generation", "max_memory_mb": 9000}
    )
    assert found["items"][0]["name"] == "starter-chat"
    assert asked(http, "GET", "/models", params={"tag": "nothing", "status": "failed"})["total"] == 0


def test_a_record_is_registered_as_it_stands_and_removed(http: httpx.Client):
    body = {
        "name": "text-model-1",
        "model_type": "TextGeneration",
        "framework": "transformers",
        "version": "2.0.0",
        "file_path": "/models/text-model-1",
        "file_size": 548000000,
        "tags": ["text", "english"],
        "capabilities": ["TextGeneration"],
        "parameters": {"max_tokens": 100, "temperature": 0.7},
    }
    record = asked(http, "POST", "/models", 201, json=body)
    assert record.keys() >= RECORD
    told = {name: value for name, value in body.items() if name != "file_path"}
    assert {name: record[name] for name in told} == told
    assert asked(http, "DELETE", "/models/text-model-1@2.0.0", 204) is None
    assert asked(http, "GET", "/models/text-model-1", 404)["code"] == "model_not_found"


def test_models_are_loaded_and_unloaded(http: httpx.Client):
    assert asked(http, "POST", "/models/starter-reader/load")["status"] == "loaded"
    assert asked(http, "GET", "/models/starter-reader")["memory_used"] > 0
    assert asked(http, "POST", "/models/starter-reader/unload")["status"] == "available"
    assert asked(http, "POST", "/models/starter-reader/load", 202, params={"wait": "false"})["status"] in (
        "loading",
        "loaded",
    )


def test_models_are_compared_and_recommended(http: httpx.Client):
    body = {
        "models": ["starter-chat", "nobody"],
        "input": {"messages": HELLO, "parameters": {"max_tokens": 4}},
    }
    compared = asked(http, "POST", "/models/compare", json=body)
    good, bad = compared["results"]
    assert good.keys() >= {"model", "result"}
    assert good["result"].keys() >= ANSWER
    assert (bad["model"], bad["error"]["code"]) == ("nobody", "model_not_found")
    assert compared["table"][0]["model"] == "starter-chat@1.0.0"
    constraints = {"max_memory_mb": 9000, "max_latency_ms": 90_000, "license": "apache-2.0"}
    told = {"description": "tell what is in a picture", "constraints": constraints}
    advice = asked(http, "POST", "/models/recommend", json=told)
    assert advice["task"]
    assert all(one.keys() >= {"model", "score", "reasons"} for one in advice["recommendations"])
    advice = asked(http, "POST", "/models/recommend", json={"task": "object-detection"})
    assert advice["recommendations"][0]["model"] == "starter-detector@1.0.0"


# --- inference ------------------------------------------------------------------------------------


def labels(output: Any) -> bool:
    scores = [one["score"] for one in output]
    return scores == sorted(scores, reverse=True) and all("label" in one for one in output)


def boxes(output: Any) -> bool:
    return labels(output) and all(one["box"].keys() == {"xmin", "ymin", "xmax", "ymax"} for one in output)


def tracks(output: Any) -> bool:
    frames = output["tracks"][0]["frames"]
    whole = output.keys() >= {"fps", "frame_count"} and output["tracks"][0].keys() >= {"id", "label"}
    return whole and frames[0].keys() >= {"frame", "time_s", "score", "box"}


TASKS: list[tuple[str, dict[str, Any], dict[str, Path], Callable[[Any], bool]]] = [
    ("text", {"messages": HELLO, "parameters": {"max_tokens": 3}}, {}, lambda output: bool(output["text"])),
    (
        "text",
        {"prompt": "I am", "parameters": {"max_tokens": 3, "logprobs": 2, "stop": ["zz"], "seed": 1, "n": 1}},
        {},
        lambda output: output["tokens"][0].keys() >= {"text", "logprob", "top"},
    ),
    ("text", {"task": "text-classification", "prompt": "draw a cat"}, {}, labels),
    (
        "text",
        {"task": "feature-extraction", "prompt": "a cat"},
        {},
        lambda output: len(output["embedding"]) > 8,
    ),
    ("image", {"task": "image-classification"}, {"image": PICTURE}, labels),
    ("image", {"task": "object-detection", "threshold": 0.5}, {"image": PICTURE}, boxes),
    (
        "image",
        {"task": "image-segmentation"},
        {"image": PICTURE},
        lambda output: output[0]["mask"].startswith("data:image/png") and "label" in output[0],
    ),
    ("video", {"task": "video-classification"}, {"video": CLIP}, labels),
    ("video", {"task": "object-tracking", "threshold": 0.5}, {"video": CLIP}, tracks),
    (
        "video",
        {"task": "scene-detection"},
        {"video": CLIP},
        lambda output: output["scenes"][0].keys() >= {"start_s", "end_s"},
    ),
    (
        "multimodal",
        {"task": "automatic-speech-recognition"},
        {"audio": SPEECH},
        lambda output: "12" in output["text"] and output["chunks"][0].keys() >= {"text", "timestamp"},
    ),
]


@pytest.mark.parametrize(
    ("group", "body", "files", "fits"), TASKS, ids=[f"{one[0]}-{one[1].get('task', '')}" for one in TASKS]
)
def test_answers_have_the_shape_of_their_task(
    http: httpx.Client,
    group: str,
    body: dict[str, Any],
    files: dict[str, Path],
    fits: Callable[[Any], bool],
):
    if files:
        sent = {name: path.read_bytes() for name, path in files.items()}
        answer = asked(
            http, "POST", f"/inference/{group}", data={"request": json.dumps(body)}, files=sent, timeout=120
        )
    else:
        answer = asked(http, "POST", f"/inference/{group}", json=body)
    assert answer.keys() >= ANSWER
    assert answer["timing"].keys() >= TIMING
    assert answer["usage"].keys() >= {"prompt_tokens", "completion_tokens"}
    assert fits(answer["output"]), answer["output"]


def test_batches(http: httpx.Client):
    rows = [
        {"type": "text", "messages": HELLO, "parameters": {"max_tokens": 2}},
        {"type": "text", "prompt": " "},
    ]
    body = {"requests": rows, "max_parallel": 2}
    whole = asked(http, "POST", "/inference/batch", json=body)
    good, bad = whole["results"]
    assert (good["index"], bad["index"]) == (0, 1)
    assert good["result"].keys() >= ANSWER
    assert bad["error"]["code"] == "invalid_request"
    begun = asked(http, "POST", "/inference/batch", 202, json=body, params={"wait": "false"})
    assert asked(http, "GET", f"/inference/batch/{begun['id']}")["total"] == 2


# --- conversations --------------------------------------------------------------------------------


def test_a_conversation(server: Server, http: httpx.Client):
    start = {"model": "starter-chat", "system_prompt": "", "title": "T", "settings": {"max_tokens": 6}}
    session = asked(http, "POST", "/chat/start", 201, json=start)["session_id"]
    said = asked(http, "POST", f"/chat/{session}/message", json={"content": "Hello!"})["message"]
    assert said.keys() >= MESSAGE
    assert said["role"] == "assistant"
    assert asked(http, "GET", "/chat")["items"][0]["session_id"] == session
    assert asked(http, "PATCH", f"/chat/{session}", json={"title": "New"})["title"] == "New"
    again = asked(http, "POST", f"/chat/{session}/regenerate")["message"]
    assert again["id"] != said["id"]
    parts = [{"type": "text", "text": "And?"}]
    body = {"content": parts, "settings": {"max_tokens": 2}, "stream": True}
    frames = http.post(f"/chat/{session}/message", json=body).text
    assert "event: token" in frames
    assert "event: message" in frames
    asked(http, "POST", f"/chat/{session}/stop")
    page = asked(http, "GET", f"/chat/{session}/history", params={"limit": 2})
    assert (len(page["messages"]), page["has_more"]) == (2, True)
    before = {"limit": 9, "before": page["messages"][0]["id"]}
    assert asked(http, "GET", f"/chat/{session}/history", params=before)["has_more"] is False
    assert "## You" in http.get(f"/chat/{session}/export", params={"format": "markdown"}).text
    exported = asked(http, "GET", f"/chat/{session}/export", params={"format": "json"})
    assert asked(http, "POST", "/chat/import", 201, json=exported)["session_id"] != session
    with server.socket(session) as socket:
        assert socket.next().keys() >= {"type", "session_id", "model"}
        socket.send("message", content="Hello!", settings={"max_tokens": 4})
        turn = socket.turn()
        assert turn[0]["type"] == "typing"
        assert {frame["active"] for frame in turn if frame["type"] == "typing"} == {True, False}
        tokens = [frame for frame in turn if frame["type"] == "token"]
        assert [frame["index"] for frame in tokens] == list(range(len(tokens)))
        assert turn[-1]["message"].keys() >= MESSAGE
        socket.send("ping")
        assert socket.next() == {"type": "pong"}
    asked(http, "POST", f"/chat/{session}/clear")
    assert asked(http, "GET", f"/chat/{session}/history")["messages"] == []
    assert asked(http, "DELETE", f"/chat/{session}", 204) is None


# --- the server itself ----------------------------------------------------------------------------


def test_health_figures_and_cache(http: httpx.Client):
    cache = {"hits", "misses", "hit_rate", "size", "max_size", "ttl_seconds", "evictions", "bytes"}
    assert asked(http, "GET", "/cache/stats").keys() >= cache
    assert asked(http, "POST", "/cache/clear").keys() >= cache
    assert asked(http, "GET", "/healthz")["status"] == "ok"
    assert asked(http, "GET", "/readyz")["ready"] is True
    assert "inference_requests_total" in http.get("/metrics").text
    stats = asked(http, "GET", "/stats")
    assert {"models", "tasks", "queue", "memory"} <= stats.keys()
    figures = {
        "requests",
        "errors",
        "latency_ms_p50",
        "latency_ms_p95",
        "latency_ms_p99",
        "tokens_per_second",
    }
    assert stats["tasks"]["text-generation"].keys() >= figures


def test_only_what_is_determined_is_cached(http: httpx.Client):
    for parameters, cached in (({"temperature": 0}, True), ({"seed": 4}, True), ({"temperature": 1}, False)):
        body = {"prompt": "Once", "parameters": {"max_tokens": 3} | parameters}
        assert [asked(http, "POST", "/inference/text", json=body)["cached"] for _ in range(2)] == [
            False,
            cached,
        ]


def test_settings_have_their_names_and_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)  # no `.env` here
    for name in os.environ:
        monkeypatch.delenv(name)
    promised: dict[str, Any] = {
        "INFERENCE_SERVICE_PORT": 7860,
        "INFERENCE_SERVICE_HOST": "127.0.0.1",
        "DATABASE_URL": "sqlite:./data/inference.db",
        "REGISTRY_PATH": Path("data/registry.json"),
        "MODEL_CACHE_DIR": None,
        "MAX_LOADED_MODELS": 5,
        "MEMORY_LIMIT_MB": 8192,
        "MODEL_TIMEOUT_SECONDS": 300,
        "CACHE_MAX_SIZE": 1000,
        "CACHE_TTL_HOURS": 24,
        "CACHE_CLEANUP_INTERVAL": 3600,
        "MAX_CONCURRENT_INFERENCE": 10,
        "INFERENCE_TIMEOUT_MS": 30000,
        "RATE_LIMIT": "120/minute",
        "API_KEYS": (),
        "DEVICE": "auto",
        "DTYPE": "auto",
        "QUANTIZATION": "auto",
        "ALLOW_URL_MEDIA": False,
        "ALLOW_REGISTRATION": True,
        "LOG_LEVEL": "info",
    }
    found = Settings()
    fields = {"INFERENCE_SERVICE_PORT": "port", "INFERENCE_SERVICE_HOST": "host"}
    for name, value in promised.items():
        assert getattr(found, fields.get(name, name.lower())) == value, name


def test_a_model_that_does_not_fit_is_told(tmp_path: Path):
    models = one_model(tmp_path / "models", ROOT / "model_cards" / "starter-chat")
    with serving(Service(settings(tmp_path, models, memory_limit_mb=64))) as small, small.http() as http:
        answer = http.post("/inference/text", json={"prompt": "x"})
        assert (answer.status_code, answer.json()["code"]) == (503, "out_of_memory")
        assert int(answer.headers["retry-after"]) >= 1
