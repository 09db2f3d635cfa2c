"""What the page's own doors give away; the page here is small, its mount is the real one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest

from inference_chat import ui
from inference_chat.service import Service
from tests.server import Server, serving, settings


def same(file: str) -> str:
    return file


@pytest.fixture
def demo() -> gr.Blocks:
    with gr.Blocks(analytics_enabled=False) as blocks:
        given, got = gr.File(), gr.File()
        gr.Button().click(same, given, got, api_name="same")
    return blocks


@pytest.fixture
def page(tmp_path: Path, demo: gr.Blocks) -> Iterator[Server]:
    with serving(Service(settings(tmp_path)), demo) as running:
        yield running


def run(http: httpx.Client, path: str) -> str:
    """What the page's function `same` says to a file of the server."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    event = http.post("/gradio_api/call/same", json={"data": [file]}).json()["event_id"]
    return http.get(f"/gradio_api/call/same/{event}").text


def test_a_file_of_the_host_cannot_be_read(tmp_path: Path, demo: gr.Blocks):
    """Gradio checks no path of a mounted page that has not been told it is launched."""
    with serving(Service(settings(tmp_path)), demo) as server, server.http() as http:
        assert "event: error" in run(http, os.__file__)
        uploaded = http.post("/gradio_api/upload", files={"files": ("mine.txt", b"my own words")}).json()[0]
        answer = run(http, uploaded)
        assert "event: complete" in answer
        shown = json.loads(answer.split("data: ")[-1])[0]
        assert http.get(f"/gradio_api/file={shown['path']}").text == "my own words"


def test_routes_stand_before_the_page(tmp_path: Path, demo: gr.Blocks):
    with serving(Service(settings(tmp_path)), demo, css="b {}") as server, server.http() as http:
        assert http.get("/").headers["content-type"].startswith("text/html")
        assert http.get("/healthz").json()["status"] == "ok"
        assert http.get("/").headers["x-request-id"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/models/a/b", "/inference/nothing", "/v1/nothing", "/v1", "/%00"]
)
def test_paths_that_nobody_has_are_told_as_everywhere(page: Server, path: str):
    with page.http() as http:
        for method in ("GET", "POST"):
            answer = http.request(method, path, json={})
            told = answer.json()
            assert answer.status_code in (404, 405)
            if path.startswith("/v1/"):
                assert told["error"]["code"] == "not_found"
            else:
                assert answer.headers["content-type"] == "application/problem+json"
                assert (told["code"], told["status"]) == (
                    "not_found" if answer.status_code == 404 else "method_not_allowed",
                    answer.status_code,
                )
            assert "/docs" in answer.text


def test_the_page_says_its_own_refusals(page: Server):
    with page.http() as http:
        assert http.get("/gradio_api/file=/etc/hostname").json()["detail"].startswith("File not allowed")
        assert http.get("/gradio_api/queue/join").json()["code"] == "method_not_allowed"


def test_a_key_guards_the_page_too(tmp_path: Path, demo: gr.Blocks):
    with serving(Service(settings(tmp_path, api_keys="k")), demo) as server, server.http() as http:
        for path in (
            "/",
            "/config",
            "/gradio_api/info",
            "/gradio_api/queue/data",
            "/assets/x.js",
            "/theme.css",
        ):
            assert http.get(path).status_code == 401, path
        for path in (
            "/gradio_api/queue/join",
            "/gradio_api/upload",
            "/gradio_api/cancel",
            "/gradio_api/call/same",
        ):
            assert http.post(path).status_code == 401, path
        assert http.get("/", headers={"X-API-Key": "k"}).status_code == 200


# --- what is not public --------------------------------------------------------------------------


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Server]:
    service = Service(settings(tmp_path))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        yield running


def test_functions_of_the_page_cannot_be_called_by_name(whole: Server):
    with whole.http() as http:
        functions = http.get("/config").json()["dependencies"]
        public = {name[1:] for name in http.get("/gradio_api/info").json()["named_endpoints"]}
        private = {one["api_name"] for one in functions} - public
        assert {"_choices", "ask"} <= private
        for name in private:
            for door in ("call", "call/v2", "api", "run"):
                answer = http.post(f"/gradio_api/{door}/{name}", json={"data": []})
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), name
                assert "/chat" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    ["process_recording", "vibe-edit", "dev/reload", "proxy=http://127.0.0.1/", "deep_link?session_hash=x"],
)
def test_what_the_page_needs_not_is_closed(whole: Server, path: str):
    with whole.http() as http:
        for method in ("GET", "POST"):
            assert http.request(method, f"/gradio_api/{path}", json={}).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("queue/join", {"fn_index": 9999, "data": [], "session_hash": "x"}),
        ("queue/join", {"fn_index": -1, "data": [], "session_hash": "x"}),
        ("call/v2/chat", {}),
        ("call/v2/chat", {"message": "x", "colour": "red"}),
        ("call/nothing", {"data": []}),
        ("run/generate", {}),
        ("run/predict", {"data": []}),
        ("run/predict", {"data": [], "fn_index": 9999}),
    ],
)
def test_calls_that_fit_nothing_are_the_callers_fault(whole: Server, path: str, body: Any):
    with whole.http() as http:
        answer = http.post(f"/gradio_api/{path}", json=body)
        assert 400 <= answer.status_code < 500, answer.text
        assert http.get("/healthz").status_code == 200
