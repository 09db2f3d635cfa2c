"""One loaded model for all, and one core for each process: many threads on a busy machine only wait."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from inference_chat.runners.device import prepare
from inference_chat.runners.text import TextRunner

from . import models

# What an extra does is tested where it is installed.
collect_ignore = [] if find_spec("llama_cpp") else ["test_gguf_answers.py"]


@pytest.fixture(scope="package", autouse=True)
def one_core() -> None:
    prepare(threads=1)


@pytest.fixture(scope="session")
def tiny_runner(tiny_llama: Path) -> TextRunner:
    return models.open_runner(tiny_llama)
