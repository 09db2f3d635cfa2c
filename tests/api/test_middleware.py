from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from inference_chat.api.app import create_app
from inference_chat.service import Service
from tests.server import Server, serving, settings


def test_every_answer_has_an_id_and_safe_headers(http: httpx.Client):
    one, two = http.get("/healthz"), http.get("/nowhere")
    assert one.headers["x-request-id"] != two.headers["x-request-id"]
    assert one.headers["x-content-type-options"] == two.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("given", "kept"), [("my-id.7", True), ("a b", False), ("x" * 65, False)])
def test_an_id_of_the_caller_is_kept(http: httpx.Client, given: str, kept: bool):
    answer = http.get("/healthz", headers={"X-Request-ID": given})
    assert (answer.headers["x-request-id"] == given) is kept


def test_unknown_paths_and_methods_are_problems(http: httpx.Client):
    assert http.get("/nowhere").json()["code"] == "not_found"
    wrong = http.put("/models")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"]


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-origin", 200), ("none", 200)])
def test_foreign_pages_change_nothing(http: httpx.Client, site: str, status: int):
    assert http.post("/cache/clear", headers={"Sec-Fetch-Site": site}).status_code == status
    assert http.get("/models", headers={"Sec-Fetch-Site": site}).status_code == 200


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(Service(settings(tmp_path_factory.mktemp("narrow"), max_body_mb=1))) as server:
        yield server


def chunks(size: int) -> Iterator[bytes]:
    yield b'{"prompt": "'
    for _ in range(size // 1000):
        yield b"x" * 1000


@pytest.mark.parametrize("told", [True, False])
def test_large_bodies_are_refused(narrow: Server, told: bool):
    body = b"".join(chunks(2_000_000)) if told else chunks(2_000_000)
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{narrow.url}/inference/text", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_the_unexpected_is_logged_and_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    class Broken(Service):
        def cache_stats(self):
            raise ZeroDivisionError(f"secret in {tmp_path}")

    with serving(Broken(settings(tmp_path))) as server:
        answer = httpx.get(f"{server.url}/cache/stats")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["x-request-id"] in answer.json()["detail"]
    assert answer.headers["x-request-id"] in caplog.text
    assert "secret" not in answer.text


def test_a_failing_store_is_told_without_its_path(tmp_path: Path):
    with serving(Service(settings(tmp_path))) as server, server.http() as http:
        server.service.sessions.close()
        server.service._database.close()
        for file in tmp_path.glob("chat.db*"):
            file.unlink()
        (tmp_path / "chat.db").mkdir()
        answer = http.get("/chat")
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed")
        assert str(tmp_path) not in answer.text


def test_every_route_says_how_it_fails(server: Server):
    paths = create_app(server.service).openapi()["paths"]
    for path, methods in paths.items():
        for operation in methods.values():
            problems = {status for status in operation["responses"] if status >= "400"}
            assert problems >= {"401", "429", "500"}, path
            kinds = {kind for status in problems for kind in operation["responses"][status]["content"]}
            own = {"/readyz": {"application/json", "application/problem+json"}}
            openai = path.startswith("/v1/")
            assert kinds == own.get(path, {f"application/{'json' if openai else 'problem+json'}"}), path
            assert operation["description"], path


def test_the_documentation_names_every_route_once(server: Server):
    document = create_app(server.service).openapi()
    names = [
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
    ]
    assert len(names) == len(set(names)) > 30


def test_metrics_are_what_prometheus_reads(http: httpx.Client):
    from prometheus_client.parser import text_string_to_metric_families

    http.post("/inference/text", json={"prompt": "x", "parameters": {"max_tokens": 3}}).raise_for_status()
    families = {family.name: family for family in text_string_to_metric_families(http.get("/metrics").text)}
    requests = http.get("/stats").json()["models"]["tiny-llama@1.0.0"]["requests"]
    assert families["inference_requests"].samples[0].value == requests
    assert families["inference_jobs"].samples


def test_readiness(http: httpx.Client, tmp_path: Path):
    assert http.get("/readyz").json() == {"ready": True, "detail": "tiny-llama@1.0.0 is loaded"}
    with serving(Service(settings(tmp_path))) as empty:
        assert httpx.get(f"{empty.url}/readyz").status_code == 503
