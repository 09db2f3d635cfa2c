from pathlib import Path

import httpx
import pytest

from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

RECORD = {
    "id", "name", "version", "description", "model_type", "framework", "file_path", "file_size", "sha256",
    "source", "revision", "license", "tags", "capabilities", "tasks", "parameters", "status",
    "memory_estimate", "memory_used", "created_at", "updated_at", "metrics",
}  # fmt: skip
METRICS = {
    "requests", "errors", "latency_ms_p50", "latency_ms_p95", "tokens_per_second", "accuracy", "last_used_at",
}  # fmt: skip


def code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def test_list_gives_whole_records(http: httpx.Client):
    answer = http.get("/models", params={"task": "text-generation", "limit": 1}).json()
    assert answer["total"] >= len(answer["items"]) == 1
    assert answer["items"][0].keys() >= RECORD
    assert answer["items"][0]["metrics"].keys() >= METRICS


@pytest.mark.parametrize("query", [{"task": "image-classification"}, {"tag": "none"}, {"status": "failed"}])
def test_list_filters(http: httpx.Client, query: dict[str, str]):
    assert http.get("/models", params=query).json() == {"items": [], "total": 0}


@pytest.mark.parametrize("query", [{"limit": 0}, {"offset": -1}, {"status": "tired"}, {"sort": "shoe_size"}])
def test_list_refuses_what_it_cannot_do(http: httpx.Client, query: dict[str, str]):
    assert code(http.get("/models", params=query)) == (422, "invalid_request")


def test_get_by_name_and_by_version(http: httpx.Client):
    assert http.get("/models/tiny-llama").json() == http.get("/models/tiny-llama@1.0.0").json()


def test_search_and_versions(http: httpx.Client):
    assert http.get("/models/search", params={"q": "tiny"}).json()["items"][0]["name"] == "tiny-llama"
    assert [one["version"] for one in http.get("/models/tiny-llama/versions").json()["items"]] == ["1.0.0"]
    assert code(http.get("/models/search", params={"max_memory_mb": "nan"})) == (422, "invalid_request")


def test_unknown_models_and_versions(http: httpx.Client):
    assert code(http.get("/models/nobody")) == (404, "model_not_found")
    assert code(http.get("/models/tiny-llama@9.9.9")) == (404, "version_not_found")
    assert code(http.post("/models/nobody/load", params={"wait": False})) == (404, "model_not_found")


def test_a_described_model_is_registered_as_it_stands(http: httpx.Client):
    body = {
        "name": "described", "version": "2.0.0", "model_type": "TextGeneration", "framework": "transformers",
        "file_path": "models/described", "file_size": 12, "tags": ["a"], "capabilities": ["Chat"],
        "parameters": {"max_tokens": 7},
    }  # fmt: skip
    posted = http.post("/models", json=body)
    assert posted.status_code == 201
    assert {key: posted.json()[key] for key in body} == body
    assert code(http.post("/models", json=body)) == (409, "model_exists")
    assert http.post("/models", json=posted.json() | {"version": "3.0.0", "id": None}).status_code == 201
    assert http.delete("/models/described@2.0.0").status_code == 204
    assert code(http.get("/models/described@2.0.0")) == (404, "version_not_found")


@pytest.mark.parametrize("name", ["../etc", "a b", "-x", "", "n" * 97, "ü"])
def test_a_name_with_other_characters_is_refused(http: httpx.Client, name: str):
    body = {"name": name, "model_type": "TextGeneration"}
    assert code(http.post("/models", json=body)) == (422, "invalid_request")


def test_unknown_fields_are_refused(http: httpx.Client):
    answer = http.post("/models", json={"name": "x", "colour": "red"})
    assert code(answer) == (422, "invalid_request")
    assert "colour" in answer.json()["detail"]


def no_model(folder: Path) -> None:
    (folder / "notes.txt").write_text("Not a model.")


def truncated(folder: Path) -> None:
    weights = tiny.build(folder) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def pickled(folder: Path) -> None:
    (tiny.build(folder) / "model.safetensors").rename(folder / "pytorch_model.bin")


def broken_card(folder: Path) -> None:
    (tiny.build(folder) / "README.md").write_text("---\nname: [unclosed\n---\n")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (no_model, "invalid_request"),
        (truncated, "invalid_request"),
        (pickled, "unsafe_model"),
        (broken_card, "invalid_request"),
    ],
)
def test_bad_folders_are_refused(http: httpx.Client, tmp_path: Path, spoil, expected: str):
    folder = tmp_path / "bad"
    folder.mkdir()
    spoil(folder)
    answer = http.post("/models", json={"name": "bad", "file_path": str(folder)})
    assert code(answer) == (422, expected)
    assert str(tmp_path) not in answer.text
    assert http.get("/models", params={"limit": 1000}).text.count('"bad@') == 0


def test_load_without_waiting_then_unload_then_load(server: Server, http: httpx.Client, tmp_path: Path):
    tiny.build(tmp_path / "second", seed=1)
    http.post("/models", json={"name": "second", "file_path": str(tmp_path / "second")}).raise_for_status()
    at_once = http.post("/models/second/load", params={"wait": False})
    assert at_once.status_code == 202
    assert http.post("/models/second/load").json()["status"] == "loaded"
    assert http.post("/models/second/unload").json()["status"] == "available"
    assert http.delete("/models/second").status_code == 204
    assert (tmp_path / "second" / "config.json").is_file()


def test_a_model_in_use_stays(server: Server, http: httpx.Client):
    started = {"prompt": "go", "parameters": {"max_tokens": 7000, "temperature": 0}, "stream": True}
    with http.stream("POST", "/inference/text", json=started) as answer:
        lines = answer.iter_lines()
        while "event: token" not in next(lines):
            pass
        assert code(http.post("/models/tiny-llama/unload")) == (409, "model_busy")
        assert code(http.delete("/models/tiny-llama")) == (409, "model_busy")


def test_a_model_too_large_for_memory(tmp_path: Path):
    tiny.build(tmp_path / "wide", width=1024, layers=6)
    service = Service(settings(tmp_path, memory_limit_mb=64))
    with serving(service) as server, server.http() as http:
        http.post("/models", json={"name": "wide", "file_path": str(tmp_path / "wide")}).raise_for_status()
        answer = http.post("/models/wide/load")
        assert code(answer) == (503, "out_of_memory")
        assert int(answer.headers["retry-after"]) >= 1


def test_registration_can_be_switched_off(tmp_path: Path):
    with serving(Service(settings(tmp_path, allow_registration=False))) as server, server.http() as http:
        body = {"name": "x", "model_type": "TextGeneration"}
        assert code(http.post("/models", json=body)) == (403, "forbidden")


def test_versions_are_promoted_and_rolled_back(http: httpx.Client):
    for version in ("1.0.0", "2.0.0"):
        body = {"name": "staged", "version": version, "model_type": "TextGeneration"}
        assert http.post("/models", json=body).status_code == 201
    assert http.post("/models/staged@1.0.0/promote").json()["default"] is True
    assert http.get("/models/staged").json()["version"] == "1.0.0"
    assert http.post("/models/staged/rollback").json()["version"] == "2.0.0"
    assert code(http.post("/models/staged/rollback")) == (409, "conflict")
    assert code(http.post("/models/staged@9/promote")) == (404, "version_not_found")


def test_words_and_defaults_are_edited(http: httpx.Client):
    http.post("/models", json={"name": "worded", "model_type": "TextGeneration"})
    edited = http.patch("/models/worded", json={"tags": ["a"], "parameters": {"top_p": 0.5}}).json()
    assert (edited["tags"], edited["parameters"], edited["edited"]) == (
        ["a"],
        {"top_p": 0.5},
        ["parameters", "tags"],
    )
    for wrong in ({"parameters": {"top_p": 9}}, {"tags": [""]}, {"name": "other"}, {"tags": None}):
        assert code(http.patch("/models/worded", json=wrong)) == (422, "invalid_request")


def test_a_pinned_model_says_so_until_it_is_unloaded(http: httpx.Client):
    assert http.post("/models/tiny-llama/pin").json()["pinned"] is True
    assert http.post("/models/tiny-llama/unpin").json()["pinned"] is False
    assert http.get("/models/tiny-llama").json()["status"] == "loaded"


def test_a_dry_run_keeps_nothing(http: httpx.Client, tmp_path: Path):
    tiny.build(tmp_path / "dry")
    told = http.post("/models/check", json={"name": "dry", "file_path": str(tmp_path / "dry")}).json()
    assert (told["ok"], told["memory"]["fits"], told["download"]) == (True, True, None)
    assert code(http.get("/models/dry")) == (404, "model_not_found")
    told = http.post("/models/check", json={"name": "dry", "file_path": str(tmp_path)}).json()
    assert (told["ok"], told["problem"]["code"]) == (False, "invalid_request")


def test_a_registry_is_exported_and_imported(http: httpx.Client):
    document = http.get("/models/export").json()
    told = http.post("/models/import", json=document, params={"dry_run": True}).json()
    assert (told["added"], told["refused"]) == ([], [])
    assert "tiny-llama@1.0.0" in told["kept"]
    new = document | {"models": [{"name": "brought", "model_type": "TextGeneration"}]}
    assert http.post("/models/import", json=new).json()["added"] == ["brought@1.0.0"]
    assert http.get("/models/brought").json()["capabilities"] == []


def test_a_hub_that_is_off_is_said_and_everything_else_works(http: httpx.Client):
    answer = http.get("/models/hub", params={"q": "llama"})
    assert code(answer) == (503, "hub_unavailable")
    assert "on this machine works" in answer.json()["detail"]
    body = {"name": "far", "hub_id": "owner/far", "model_type": "TextGeneration"}
    registered = http.post("/models", json=body).json()
    assert "cannot be reached" in registered["warnings"][0]
    assert http.get("/models/far/download").json()["state"] == "none"
    assert code(http.post("/models/far/download")) == (503, "hub_unavailable")
    assert code(http.post("/models/tiny-llama/download")) == (409, "conflict")
    assert http.delete("/models/far/download").json()["state"] == "none"
