"""The language halves of models that see are laid out for speed as language models are."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.multimodal import MultimodalRunner
from inference_chat.tasks import Task
from tests.runners.chat_families import VISION
from tests.runners.test_linears import BFLOAT16, names_of
from tests.runners.tiny_media import conversation, picture, result, says


@pytest.fixture
def seeing(tmp_path: Path) -> Callable[..., MultimodalRunner]:
    """Opens a family that sees."""

    def opened(family: str, quantization: str, dtype: str = "float32") -> MultimodalRunner:
        if not (tmp_path / family).exists():
            VISION[family](tmp_path / family)
        runner = MultimodalRunner(inspect(tmp_path / family), Placement("cpu", dtype, quantization))
        runner.load()
        return runner

    return opened


def said(runner: MultimodalRunner, place: Path) -> list[tuple[str, ...]]:
    """What it answers about three pictures."""
    asked = [
        conversation(Task.IMAGE_TEXT_TO_TEXT, says("user", "the one in there?", one), media=(one,))
        for one in (picture(place, seed) for seed in range(3))
    ]
    return [result(runner, one).texts for one in asked]


@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=BFLOAT16)])
@pytest.mark.parametrize("family", ["llava", "idefics3", "gemma3", "qwen2.5-vl"])
def test_the_language_half_of_a_model_that_sees_is_packed(
    seeing: Callable[..., MultimodalRunner], tmp_path: Path, family: str, dtype: str
):
    plain, runner = seeing(family, "none", dtype), seeing(family, "auto", dtype)
    assert runner._laid is not None
    assert plain._laid is None
    exchanged = set(names_of(plain._model, torch.nn.Linear)) - set(names_of(runner._model, torch.nn.Linear))
    assert len(exchanged) == 2 * 7 + 1  # of two blocks, and the head
    assert all(name.split(".")[1:2] in ([], ["language_model"], ["text_model"]) for name in exchanged)
    assert said(runner, tmp_path) == said(plain, tmp_path)


def test_a_model_that_sees_is_parked_and_unloaded_with_its_layers(
    seeing: Callable[..., MultimodalRunner], tmp_path: Path
):
    runner = seeing("llava", "auto")
    wanted, laid = said(runner, tmp_path), runner._laid
    assert laid is not None
    held = laid.bytes
    assert runner.park(1) > held > 0
    assert laid.bytes == 0
    list(runner.wake())
    assert said(runner, tmp_path) == wanted
    list(runner.settle())
    assert laid.bytes == held
    assert said(runner, tmp_path) == wanted
    runner.unload()
    assert laid.bytes == 0
