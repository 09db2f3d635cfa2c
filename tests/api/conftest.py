"""One server with a tiny real model, shared by the tests of a module; each makes its own conversations."""

from collections.abc import Iterator

import httpx
import pytest

from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its model writes until somebody stops it, and its window is wide enough for that."""
    folder = tmp_path_factory.mktemp("server")
    tiny.card(tiny.endless(tiny.build(folder / "models" / "tiny-llama", window=8192)), name="tiny-llama")
    service = Service(settings(folder, folder / "models", max_prompt_chars=20_000))
    with serving(service) as running:
        running.call(service.models.load("tiny-llama"))
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


@pytest.fixture
def session(http: httpx.Client) -> str:
    """A conversation whose replies are short and always the same."""
    body = {"settings": {"max_tokens": 8, "temperature": 0}}
    return str(http.post("/chat/start", json=body).raise_for_status().json()["session_id"])
