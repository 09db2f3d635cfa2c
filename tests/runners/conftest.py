"""One loaded model for all, and one core for each process: many threads on a busy machine only wait."""

from pathlib import Path

import pytest

from inference_chat.runners.device import prepare
from inference_chat.runners.text import TextRunner

from . import models


@pytest.fixture(scope="package", autouse=True)
def one_core() -> None:
    prepare(threads=1)


@pytest.fixture(scope="session")
def tiny_runner(tiny_llama: Path) -> TextRunner:
    return models.open_runner(tiny_llama)
