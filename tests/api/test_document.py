"""The OpenAPI document: complete, and true: Schemathesis sends what it allows and what it forbids."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from inference_chat import runners
from inference_chat.api.app import create_app
from inference_chat.service import Service
from tests import tiny, tiny_vision
from tests.fakes import FAMILIES
from tests.server import Server, serving, settings

HERE = Path(__file__).parent
PHASES = {"examples,coverage": 20, "fuzzing": 8, "stateful": 10}
"""What Schemathesis tries, and for how many seconds at most."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its texts cost nothing, so that thousands of requests take seconds."""
    folder = tmp_path_factory.mktemp("document")
    tiny.card(tiny.build(folder / "models" / "tiny-llama"), name="tiny-llama")
    tiny_vision.build("ViTForImageClassification", folder / "models" / "tiny-vit")
    seeing = tuple(one for one in runners.FAMILIES if one.end == "ForImageClassification")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runners, "FAMILIES", seeing + FAMILIES)
        with serving(Service(settings(folder, folder / "models"))) as running:
            yield running


@pytest.mark.parametrize(("phases", "seconds"), PHASES.items())
def test_the_document_is_true(server: Server, tmp_path: Path, phases: str, seconds: int):
    program = Path(sys.executable).with_name("schemathesis")
    options = ["--checks", "all", "--phases", phases, "--max-time", str(seconds), "-n", "3", "--seed", "1"]
    options += ["--no-shrink", "--suppress-health-check", "all", "--warnings", "off", "--no-color"]
    # Forms with fields that nobody knows are taken, as OpenAI takes them; the other phases check bodies.
    options += ["--exclude-checks", "negative_data_rejection"] if phases == "stateful" else []
    hooks = {"SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks", "PYTHONPATH": str(HERE.parents[1])}
    run = subprocess.run(
        [program, "--config-file", HERE / "schemathesis.toml", "run", f"{server.url}/openapi.json", *options],
        cwd=tmp_path,
        env=os.environ | hooks,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert " generated" in run.stdout


def test_requests_have_examples(server: Server):
    document = create_app(server.service).openapi()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body:
                parts = body["schema"].get("anyOf", [body["schema"]])
                named = [schemas.get(part.get("$ref", "").rpartition("/")[2], part) for part in parts]
                shown = body.keys() & {"example", "examples"} or any(part.get("examples") for part in named)
                assert shown, f"{method} {path}"


def test_everything_is_described(server: Server):
    document = create_app(server.service).openapi()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                assert parameter["description"], f"{method} {path}: {parameter['name']}"
            form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {})
            fields = schemas.get(
                form.get("schema", {}).get("$ref", "").rpartition("/")[2], form.get("schema", {})
            )
            for name, field in fields.get("properties", {}).items():
                assert field.get("description"), f"{method} {path}: {name}"


def test_answers_have_a_shape(server: Server):
    document = create_app(server.service).openapi()
    free = {"/chat/{id}/export"}  # a conversation in the form that was asked for
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    assert path in free or content["schema"], f"{method} {path}: {status} {kind}"


def test_methods_a_path_does_not_have(server: Server):
    answer = httpx.put(f"{server.url}/models")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert "PUT" in answer.json()["detail"]
