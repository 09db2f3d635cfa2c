"""Choosing a model over a real socket."""

import json
from collections.abc import Iterator

import pytest

from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

ASKED = {"prompt": "Hello", "parameters": {"max_tokens": 6, "temperature": 0}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("choosing")
    for seed, name in enumerate(("one", "two")):
        tiny.card(tiny.build(folder / "models" / name, seed=seed), name=name)
    with serving(Service(settings(folder, folder / "models"))) as running:
        yield running


def test_a_comparison_has_results_a_table_and_their_agreement(server: Server):
    with server.http() as http:
        told = http.post("/models/compare", json={"models": ["one", "nobody", "two"], "input": ASKED})
    answer = told.json()
    assert told.status_code == 200
    assert [("error" in row) for row in answer["results"]] == [False, True, False]
    assert answer["results"][1]["error"]["status"] == 404
    assert answer["agreement"][0]["models"] == ["one@1.0.0", "two@1.0.0"]


def test_a_stream_tells_whose_each_event_is(server: Server):
    asked = {"models": ["one", "two"], "input": ASKED, "stream": True}
    with server.http() as http:
        lines = http.post("/models/compare", json=asked).text.splitlines()
    frames = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert frames[0]["type"] == "plan"
    for model in ("one@1.0.0", "two@1.0.0"):
        text = "".join(f["text"] for f in frames if f["type"] == "token" and f["model"] == model)
        ended = next(f for f in frames if f["type"] == "row" and f["model"] == model)
        assert ended["result"]["output"]["text"] == text
    assert frames[-1]["type"] == "result"
    assert len(frames[-1]["result"]["table"]) == 2


@pytest.mark.parametrize(("form", "start"), [("csv", "model,status"), ("html", "<!doctype html>")])
def test_a_comparison_is_taken_away_as_a_report(server: Server, form: str, start: str):
    asked = {"models": ["one", "two"], "input": ASKED}
    with server.http() as http:
        told = http.post("/models/compare", params={"format": form}, json=asked)
    assert told.text.startswith(start)
    assert "two@1.0.0" in told.text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"models": ["one"], "input": ASKED}, "2 to 6"),
        ({"models": ["one", "two"]}, "input"),
        ({"models": ["one", "two"], "input": {"model": "one", **ASKED}}, "leave `model` out"),
        ({"models": ["one", "two"], "input": {}}, "empty"),
    ],
)
def test_a_wrong_comparison_is_refused(server: Server, body: object, says: str):
    with server.http() as http:
        told = http.post("/models/compare", json=body)
    assert told.status_code == 422
    assert says in told.json()["detail"]


def test_votes_become_ratings(server: Server):
    vote = {"task": "text-generation", "models": ["one@1.0.0", "two@1.0.0"], "verdict": "best"}
    with server.http() as http:
        http.post("/models/vote", json=vote | {"best": "two@1.0.0", "blind": True})
        refused = http.post("/models/vote", json=vote)
        told = http.get("/models/ratings", params={"task": "text-generation"}).json()
        nobody = http.get("/models/ratings", params={"task": "depth-estimation"}).json()
    assert [row["model"] for row in told["items"]] == ["two@1.0.0", "one@1.0.0"]
    assert (refused.status_code, told["votes"], nobody["items"]) == (422, 1, [])


def test_models_are_recommended(server: Server):
    asked = {"description": "write me a poem", "constraints": {"license": "mit"}}
    with server.http() as http:
        told = http.post("/models/recommend", json=asked).json()
        refused = http.post("/models/recommend", json={"constraints": {"max_memory_mb": -1}})
    assert told["task"] == "text-generation"
    assert {one["model"] for one in told["recommendations"]} == {"one@1.0.0", "two@1.0.0"}
    assert refused.status_code == 422
