"""One server with its page and a tiny real model, shared by the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_chat import ui
from inference_chat.service import Service
from tests.server import Server, one_model, serving, settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    service = Service(settings(folder, one_model(folder / "models", tiny_llama)))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        running.call(service.models.load("tiny-llama"))
        yield running
