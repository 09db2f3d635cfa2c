"""What every test stands on: an environment of its own, and one tiny real model per worker."""

import os
from importlib import import_module
from pathlib import Path

import hypothesis
import pytest

# Before anything imports gradio or the hub's client: no test leaves this machine.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

from inference_chat.settings import Settings, variables

from . import tiny

# Two threads cannot import it at once, and every server that a test starts imports it in one of its own.
import_module("transformers.models.llama.modeling_llama")

# A busy machine is no failure: no test is timed.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in its own empty folder and sees none of the machine's settings."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        for variable in variables(field):
            monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer Llama and its card; shared, so never written to."""
    return tiny.card(tiny.build(tmp_path_factory.mktemp("tiny") / "tiny-llama"))
