"""Weights laid out for speed: the same numbers when packed, nearly the same when rounded."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from inference_chat.runners.batching import Batch
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.layouts import ONCE, ROWS, layouts
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
    rows = runner._engine.begin(list(range(5, 25)))
    try:
        return rows.advance()
    finally:
        rows.close()


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


SIZES = [(48, 96), (64, 64), (576, 192), (1536, 576), (2048, 64), (2048, 256), (3072, 100), (5, 7)]
"""Inputs and outputs; from some thousand inputs on oneDNN sums one row alone in another order."""
COUNTS = [*range(1, 41), 100, 300]


def packed(inputs: int, outputs: int, *, bias: bool = False, dtype: torch.dtype = torch.float32) -> Any:
    """A layer in oneDNN's layout."""
    torch.manual_seed(inputs)
    weights = [torch.randn(outputs, inputs).to(dtype)]
    return layouts()["auto"](weights, torch.randn(outputs).to(dtype) if bias else None)


@pytest.mark.parametrize(("inputs", "outputs"), SIZES)
def test_a_row_of_a_packed_product_is_the_same_bits_alone_and_beside_others(inputs: int, outputs: int):
    layer, rows = packed(inputs, outputs), torch.randn(max(COUNTS), inputs)
    with torch.inference_mode():
        wanted = layer(rows)
        for count in COUNTS:
            assert torch.equal(layer(rows[:count]), wanted[:count]), count
            assert torch.equal(layer(rows[-count:]), wanted[-count:]), count
        error = (wanted - layer.plainly(rows)).norm() / wanted.norm()
    assert error < 1e-5


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("inputs", [48, 2048])
def test_padding_gives_no_more_rows_than_were_asked(inputs: int, bias: bool):
    layer = packed(inputs, 40, bias=bias)
    with torch.inference_mode():
        for shape in [(), (0,), (1,), (3,), (17,), (129,), (1, 1), (2, 5), (3, 0), (2, 3, 5)]:
            given = torch.randn(*shape, inputs)
            found = layer(given)
            assert found.shape == (*shape, 40)
            torch.testing.assert_close(found, layer.plainly(given), atol=1e-3, rtol=1e-5)


def test_few_numbers_of_rows_are_multiplied(monkeypatch: pytest.MonkeyPatch):
    """For each one oneDNN makes code, which it keeps."""
    layer, seen = packed(48, 32), []
    product = layer._product

    def noted(x: Any) -> Any:
        seen.append(x.numel() // 48)
        return product(x)

    monkeypatch.setattr(layer, "_product", noted)
    for count in range(1, 301):
        layer(torch.randn(count, 48))
    assert len(set(seen)) <= 20
    assert all(count in (1, ONCE) or count % ROWS == 0 for count in seen)


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=BFLOAT16)])
@pytest.mark.parametrize(("outputs", "least"), [(100, 1), (2048, ROWS)])
def test_one_row_goes_as_four_by_a_large_layer(
    monkeypatch: pytest.MonkeyPatch, outputs: int, least: int, dtype: torch.dtype
):
    layer, seen = packed(512, outputs, dtype=dtype), []
    rows = torch.randn(9, 512).to(dtype)
    with torch.inference_mode():
        wanted = layer(rows)[3]
        product = layer._product

        def noted(x: Any) -> Any:
            seen.append(x.numel() // 512)
            return product(x)

        monkeypatch.setattr(layer, "_product", noted)
        assert torch.equal(layer(rows[3]), wanted)
    assert seen == [least]


FAMILIES_AT_WHOLE = ("Llama", "GPT2", "OPT", "Gemma2", "Bloom", "Lfm2")


@pytest.mark.parametrize("family", FAMILIES_AT_WHOLE)
def test_float32_is_packed_too_and_answers_alike(tmp_path: Path, family: str):
    folder = build(family, tmp_path / family)
    runner = open_runner(folder)
    assert runner._laid is not None
    assert names_of(runner._model, torch.nn.Linear) == []
    assert (
        answer(runner, "the one").texts == answer(open_runner(folder, quantization="none"), "the one").texts
    )


def names_of(model: Any, *types: type) -> list[str]:
    return [name for name, part in model.named_modules() if type(part) in types]


@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=BFLOAT16)])
def test_layers_whose_weights_are_looked_at_stay_and_others_do_not(tmp_path: Path, dtype: str):
    runner = open_runner(build("Mamba", tmp_path / "Mamba"), dtype)
    stayed = {name.split(".")[-1] for name in names_of(runner._model, torch.nn.Linear)}
    assert stayed == {"dt_proj", "lm_head"}
    assert runner._laid is not None
    assert len(runner._laid._layers) == 6
    assert answer(runner, "the one", max_tokens=5).finished.usage.completion_tokens == 5


class Blocks(torch.nn.Module):
    """Layers of which some are called, some looked at, some both, some neither."""

    def __init__(self, looks_at: str = "", blocks: int = 2) -> None:
        super().__init__()
        self.looks_at = looks_at
        self.blocks = torch.nn.ModuleList(
            torch.nn.ModuleDict(
                {
                    **{name: torch.nn.Linear(32, 32) for name in ("q_proj", "k_proj", "v_proj")},
                    "out": torch.nn.Linear(32, 64),
                    "back": torch.nn.Linear(64, 32),
                    "idle": torch.nn.Linear(32, 32),
                }
            )
            for _ in range(blocks)
        )

    @property
    def parts(self) -> list[Any]:
        """The layers of each block by their names."""
        return list(self.blocks)

    def forward(self, x: Any) -> Any:
        for block in self.parts:
            x = block["q_proj"](x) + block["k_proj"](x) * block["v_proj"](x)
            x = x + block["back"](block["out"](x).relu())
            for name in self.looks_at.split():
                x = x + block[name].weight.sum()
        return x


def kinds(model: Blocks, trial: Callable[[], object]) -> dict[str, bool]:
    """Which layers of a model were exchanged, of each block the same ones."""
    laid = rearrange(model, "auto", trial=trial)
    per_block = [
        {name: type(layer) is not torch.nn.Linear for name, layer in block.items()} for block in model.parts
    ]
    assert all(one == per_block[0] for one in per_block)
    assert (laid is not None) is any(per_block[0].values())
    assert not any(part._forward_pre_hooks for part in model.modules())
    return per_block[0]


@pytest.mark.parametrize("looks_at", ["", "out", "k_proj", "back out", "q_proj out back"])
def test_what_a_model_looks_at_or_never_calls_stays(looks_at: str):
    torch.manual_seed(0)
    model, given = Blocks(looks_at), torch.randn(3, 32)
    with torch.inference_mode():
        wanted = model(given)
        found = kinds(model, lambda: model(given))
        stay = {"idle", *looks_at.split()}
        if stay & {"q_proj", "k_proj"}:  # layers that are joined stay together
            stay |= {"q_proj", "k_proj", "v_proj"}
        assert {name for name, exchanged in found.items() if not exchanged} == stay
        torch.testing.assert_close(model(given), wanted)


def test_a_model_that_cannot_be_tried_stays_as_it_is():
    model, before = Blocks(), list(Blocks().state_dict())
    asked: list[str] = []

    def trial() -> None:
        asked.append("once")
        raise TypeError("other inputs\nare needed")

    assert not any(kinds(model, trial).values())
    assert asked == ["once"]
    assert list(model.state_dict()) == before


def test_without_a_trial_every_layer_is_exchanged():
    assert rearrange(model := Blocks(), "auto") is not None
    assert names_of(model, torch.nn.Linear) == []


def test_a_float32_model_comes_back_with_the_same_numbers(tmp_path: Path):
    """Meanwhile it answers by its plain weights, whose sums have another order."""
    runner = loaded(tiny(tmp_path / "float32", width=128), "auto", "float32")
    before, laid = logits(runner), runner._laid
    assert laid is not None
    assert laid.again
    held = laid.bytes
    assert runner.park(1) > held
    list(runner.wake())
    forget(runner)
    torch.testing.assert_close(logits(runner), before)
    list(runner.settle())
    assert laid.bytes == held
    forget(runner)
    assert torch.equal(logits(runner), before)
