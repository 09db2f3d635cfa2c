"""Weights laid out for speed: the same numbers when packed, nearly the same when rounded."""

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from inference_chat.runners.batching import Batch
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.linears import at_once, rearrange
from inference_chat.runners.text import TextRunner
from tests.runners.models import answer, build, open_runner
from tests.tiny import build as tiny

BFLOAT16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this processor has no bfloat16"
)


def loaded(folder: Path, quantization: str, dtype: str = "bfloat16") -> TextRunner:
    runner = TextRunner(inspect(folder), Placement("cpu", dtype, quantization))
    runner.load()
    return runner


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("linears") / "llama", dtype="bfloat16", width=128)


def logits(runner: TextRunner) -> Any:
    return runner._engine.begin(list(range(5, 25))).advance()


def forget(runner: TextRunner) -> None:
    """Nothing that was read before is used again."""
    assert isinstance(runner._engine, Batch)
    while runner._engine.kept.forget():
        pass


@BFLOAT16
def test_packed_weights_are_the_same_numbers(folder: Path):
    plain, packed = loaded(folder, "none"), loaded(folder, "auto")
    assert torch.allclose(logits(packed), logits(plain), atol=0.2, rtol=0.02)
    assert packed.placement.dtype == "bfloat16"
    assert not any(type(part) is torch.nn.Linear for part in packed._model.modules())


@pytest.mark.parametrize(("kind", "near"), [("int8", 0.012), ("int4", 0.1)])
def test_rounded_layers_are_near(folder: Path, kind: str, near: float):
    laid = rearrange(loaded(folder, "none")._model, kind)
    assert laid is not None
    assert 0 < laid.error < near


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_rounded_models_answer_and_say_so(folder: Path, kind: str):
    runner = loaded(folder, kind, "float32")
    assert runner.placement.dtype == kind  # as receipts and records tell
    assert answer(runner, "the other", max_tokens=5).finished.usage.completion_tokens == 5


@pytest.mark.parametrize("kind", ["auto", "int8"])
def test_layers_of_gpt2_are_rearranged_too(tmp_path: Path, kind: str):
    model = open_runner(build("GPT2", tmp_path / "GPT2"), "bfloat16")._model
    before = sum(parameter.numel() for parameter in model.transformer.h.parameters())
    laid = rearrange(model, kind)
    if laid is not None:  # a processor without bfloat16 packs nothing
        assert sum(parameter.numel() for parameter in model.transformer.h.parameters()) < before / 10


def test_a_layer_that_is_not_good_enough_stays():
    layer = torch.nn.Linear(48, 16).to(torch.bfloat16)  # 48 inputs are no whole groups of 32
    holder = torch.nn.ModuleDict({"one": layer})
    assert rearrange(holder, "int4") is None
    assert holder["one"] is layer


@pytest.mark.parametrize("bias", [False, True])
def test_layers_of_the_same_input_are_joined(bias: bool):
    torch.manual_seed(0)
    sizes = {"q_proj": 64, "k_proj": 32, "v_proj": 32, "o_proj": 64}
    holder = torch.nn.ModuleDict({n: torch.nn.Linear(64, s, bias=bias) for n, s in sizes.items()})
    holder.to(torch.bfloat16)
    given, other = torch.randn((2, 3, 64), dtype=torch.bfloat16)
    with torch.inference_mode():
        wanted = {name: (layer(given), layer(other)) for name, layer in holder.items()}
        assert rearrange(holder, "int8") is not None
        joined = [holder[name] for name in ("q_proj", "k_proj", "v_proj")]
        assert len({layer.whole for layer in joined}) == 1
        for number, x in enumerate((given, other)):  # in any order, and one of them alone
            for name in ("v_proj", "q_proj", "k_proj", "o_proj"):
                near = wanted[name][number]
                torch.testing.assert_close(holder[name](x), near, atol=0.03, rtol=0.03)
        together = at_once(joined)(given)
    torch.testing.assert_close(together, torch.cat([joined[i](given) for i in range(3)], -1))


def test_joined_layers_hold_no_numbers_of_a_step_that_is_over():
    holder = torch.nn.ModuleDict({name: torch.nn.Linear(64, 32) for name in ("gate_proj", "up_proj")})
    rearrange(holder.to(torch.bfloat16), "int8")
    given = torch.randn((1, 64), dtype=torch.bfloat16)
    seen = weakref.ref(given)
    with torch.inference_mode():
        assert holder["gate_proj"](given).shape == holder["up_proj"](given).shape
    del given
    assert seen() is None


def test_layers_that_differ_are_not_joined():
    holder = torch.nn.ModuleDict({"gate_proj": torch.nn.Linear(64, 32), "up_proj": torch.nn.Linear(32, 32)})
    rearrange(holder.to(torch.bfloat16), "int8")
    assert not any(hasattr(layer, "whole") for layer in holder.children())


@pytest.mark.parametrize("kind", [pytest.param("auto", marks=BFLOAT16), "int8", "int4"])
def test_a_parked_model_comes_back_with_the_same_numbers(folder: Path, kind: str):
    runner = loaded(folder, kind)
    before, laid = logits(runner), runner._laid
    assert laid is not None
    held = laid.bytes
    assert held > 0
    assert runner.park(held / 2) >= held
    assert laid.bytes == 0
    for _ in runner.wake():
        pass
    assert laid.bytes == (0 if kind == "auto" else held)  # packed ones answer by their plain weights
    forget(runner)
    assert torch.equal(logits(runner), before)
    steps = list(runner.settle())
    assert laid.bytes == held
    assert (len(steps) > 1) is (kind == "auto")  # others run in between
    forget(runner)
    assert torch.equal(logits(runner), before)


@BFLOAT16
def test_what_is_parked_again_or_unloaded_is_not_packed_any_more(folder: Path):
    runner = loaded(folder, "auto")
    laid = runner._laid
    assert laid is not None
    for end in (lambda: runner.park(1), runner.unload):
        list(runner.wake())
        steps = runner.settle()
        next(steps)
        assert laid.bytes > 0
        end()
        assert list(steps) == []
        assert laid.bytes == 0


def test_a_model_that_is_not_worth_parking_keeps_its_layout(folder: Path):
    runner = loaded(folder, "int8")
    assert runner._laid is not None
    held = runner._laid.bytes
    assert runner.park(1e12) == 0
    assert runner._laid.bytes == held


@BFLOAT16
def test_converted_weights_are_not_kept_twice(tmp_path: Path):
    runner = loaded(tiny(tmp_path / "float32", width=128), "auto")
    assert runner._laid is not None
    assert not runner._laid.again
    assert runner.park(1) == 0
    assert logits(runner) is not None
