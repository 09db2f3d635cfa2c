"""Many requests at once: `/inference/batch`, and files of lines at `/v1/batches`, also over a restart."""

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from inference_chat.access import Caller
from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

MODEL = "tiny-llama"
SHORT: dict[str, Any] = {"max_tokens": 6, "temperature": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    tiny.card(tiny.endless(tiny.build(folder / "models" / MODEL, window=8192)), name=MODEL)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(Service(settings(folder, folder / "models"))) as running:
        yield running


@contextmanager
def client_of(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def text(prompt: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "model": MODEL, "prompt": prompt, "parameters": SHORT | more}


def settled(ask: Callable[[], Any], over: Callable[[Any], bool]) -> Any:
    """What `ask` says once that is `over`; fails after a while."""
    until = time.monotonic() + 60
    while not over(found := ask()):
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def test_rows_are_answered_in_order_and_fail_alone(server: Server):
    wrong = [{"type": "text", "prompt": "A", "parameters": {"temperature": 9}}, {"type": "poem"}]
    asked: list[Any] = [text("Once"), *wrong, text("Twice"), {**text("x"), "model": "nobody"}]
    with server.http() as http:
        told = http.post("/inference/batch", json={"requests": asked, "max_parallel": 3}).json()
        alone = http.post("/inference/text", json={k: v for k, v in asked[0].items() if k != "type"}).json()
    assert (told["status"], told["completed"], told["failed"], told["total"]) == ("completed", 2, 3, 5)
    assert [row["index"] for row in told["results"]] == [0, 1, 2, 3, 4]
    assert told["results"][0]["result"]["output"] == alone["output"]
    assert [row["error"]["code"] for row in told["results"] if row["status"] == "failed"] == [
        "invalid_request",
        "invalid_request",
        "model_not_found",
    ]


def test_rows_of_one_model_are_stepped_together(server: Server):
    asked = [text(f"Number {number}", max_tokens=40, seed=number, temperature=1) for number in range(6)]
    with server.http() as http:
        told = http.post("/inference/batch", json={"requests": asked}).json()
    receipts = [row["result"]["receipt"] for row in told["results"]]
    assert {receipt["engine"] for receipt in receipts} == {"batched"}


def test_a_batch_is_followed_and_stopped(server: Server):
    asked = [text(f"Go {number}", max_tokens=8000) for number in range(4)]
    with server.http() as http:
        begun = http.post("/inference/batch?wait=false", json={"requests": asked, "max_parallel": 1})
        assert (begun.status_code, begun.json()["status"]) == (202, "running")
        path = f"/inference/batch/{begun.json()['id']}"
        assert http.post(f"{path}/cancel").json()["status"] == "cancelled"
        settled(lambda: server.service.jobs.counts, lambda counts: counts == (0, 0))
        assert http.get(path).json()["completed"] < 4
        assert http.get("/inference/batch/nothing").status_code == 404
        assert http.post("/inference/batch", json={"requests": []}).status_code == 422


def test_nobody_sees_anothers_batch(server: Server):
    ledger = server.service.batches.ledger
    batch = ledger.add("somebody else", "inference", [text("x")], 1, state="completed")
    file = ledger.add_file("somebody else", "a.jsonl", "batch", b"{}")
    with server.http() as http:
        assert http.get(f"/inference/batch/{batch.id}").status_code == 404
        assert http.get(f"/v1/files/{file.id}/content").status_code == 404


def test_what_a_restart_interrupts_is_gone_on_with(folder: Path, tmp_path: Path):
    asked = [text("Once"), text("Twice")]
    owner = Caller(owner="everyone", address="")
    first = Service(settings(tmp_path, folder / "models"))
    batch = first.batches.ledger.add(owner.owner, "inference", asked, 2)
    first.batches.ledger.end_rows(batch.id, [(0, 200, {"output": "kept"})])
    first.sessions.close()
    with serving(Service(settings(tmp_path, folder / "models"))) as second, second.http() as http:
        path = f"/inference/batch/{batch.id}"
        told = settled(lambda: http.get(path).json(), lambda told: told["status"] == "completed")
    assert told["results"][0]["result"] == {"output": "kept"}
    assert told["results"][1]["result"]["output"]["text"]


def lines(*bodies: Any, url: str = "/v1/chat/completions") -> bytes:
    return "\n".join(
        json.dumps({"custom_id": f"row-{number}", "method": "POST", "url": url, "body": body})
        for number, body in enumerate(bodies)
    ).encode()


def chat(said: str, **more: Any) -> Any:
    return {"model": MODEL, "messages": [{"role": "user", "content": said}], **SHORT, **more}


def ordered(client: OpenAI, content: bytes, endpoint: Any = "/v1/chat/completions") -> Any:
    file = client.files.create(file=("lines.jsonl", io.BytesIO(content)), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")


def read(client: OpenAI, id: str) -> list[Any]:
    return [json.loads(line) for line in client.files.content(id).text.splitlines()]


def test_a_file_of_lines_is_answered_with_a_file(server: Server):
    with client_of(server) as client:
        order = ordered(client, lines(chat("Hi"), chat("Ho", temperature=9), chat("Hum")))
        done = settled(lambda: client.batches.retrieve(order.id), lambda one: one.status == "completed")
        alone = client.chat.completions.create(**chat("Hi"))
        good, bad = read(client, done.output_file_id), read(client, done.error_file_id)
        listed = [one.id for one in client.batches.list(limit=1)]
    assert (done.request_counts.completed, done.request_counts.failed) == (2, 1)
    assert [line["custom_id"] for line in good] == ["row-0", "row-2"]
    assert good[0]["response"]["body"]["choices"][0]["message"]["content"] == alone.choices[0].message.content
    assert (bad[0]["custom_id"], bad[0]["response"]["status_code"]) == ("row-1", 422)
    assert order.id in listed


def test_completions_are_lines_too(server: Server):
    with client_of(server) as client:
        body = {"model": MODEL, "prompt": ["A", "B"], **SHORT}
        order = ordered(client, lines(body, url="/v1/completions"), "/v1/completions")
        done = settled(lambda: client.batches.retrieve(order.id), lambda one: one.status == "completed")
        [line] = read(client, done.output_file_id)
    assert len(line["response"]["body"]["choices"]) == 2


def test_a_file_that_is_none_is_told_line_by_line(server: Server):
    with client_of(server) as client:
        order = ordered(client, lines(chat("Hi"), url="/v1/embeddings") + b"\n{nothing\n")
        assert order.status == "failed"
        assert [(one.line, one.code) for one in order.errors.data] == [
            (1, "mismatched_endpoint"),
            (2, "invalid_json_line"),
        ]
        with pytest.raises(openai.NotFoundError):
            client.batches.retrieve("batch_nothing")


def test_a_batch_is_cancelled_and_files_are_deleted(server: Server):
    with client_of(server) as client:
        order = ordered(client, lines(*(chat(f"Go {number}", max_tokens=8000) for number in range(3))))
        assert client.batches.cancel(order.id).status == "cancelled"
        assert client.files.retrieve(order.input_file_id).filename == "lines.jsonl"
        assert order.input_file_id in [file.id for file in client.files.list()]
        assert client.files.delete(order.input_file_id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.content(order.input_file_id)
