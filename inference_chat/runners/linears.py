"""The weights of a language model on a CPU, laid out for speed: packed, or rounded to fewer bits.

What writing a token costs is reading all weights once. oneDNN reads bfloat16 quickest in a layout of its
own, and eight or four bits are half or a quarter to read. These are operators of torch without a public
name: each layer is tried when it is exchanged, and stays as it is where that fails.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

logger = logging.getLogger(__name__)
GROUP = 32
"""Weights of four bits that share a scale and a zero."""
ALLOWED = {"auto": 0.02, "int8": 0.03, "int4": 0.2}
"""Largest error of a layer that is accepted, as a share of its output's norm."""
TRIED = 3
TOGETHER = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers that are given the same numbers: one large matrix is read quicker than several small ones."""
ROUNDED = ("int8", "int4")


class Layout(Protocol):
    """What takes the place of a layer: built of a weight (out, in) in bfloat16 and a bias."""

    def __init__(self, weight: Any, bias: Any) -> None: ...


def rearrange(model: Any, quantization: str) -> float | None:
    """Exchange the linear layers of a bfloat16 model on a CPU; those that cannot be stay.

    `quantization` is `auto` (packed, lossless), `int8` or `int4`. The mean error of the layers that were
    exchanged, as a share of their outputs' norm; None when none was.
    """
    make, allowed = _layouts()[quantization], ALLOWED[quantization]
    errors: list[float] = []
    for parent in list(model.modules()):
        for names in _groups(parent):
            layers = [getattr(parent, name) for name in names]
            found = _tried(make, *_joined(layers), allowed)
            if found is None:
                continue
            shares = _shares(found[0], [layer.out_features for layer in layers]) if layers[1:] else found[:1]
            for name, share in zip(names, shares, strict=True):
                setattr(parent, name, share)
            errors += [found[1]] * len(layers)
    if not errors:
        return None
    # What is left would hold on to the whole file that it is mapped from.
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    return sum(errors) / len(errors)


def at_once(layers: Sequence[Any]) -> Callable[[Any], Any]:
    """The outputs of layers that are given the same numbers, one after the other in the last dimension."""
    import torch

    whole = getattr(layers[0], "whole", None)
    if whole is not None and all(getattr(layer, "whole", None) is whole for layer in layers):
        return whole.layer  # type: ignore[no-any-return]
    return lambda x: torch.cat([layer(x) for layer in layers], -1)


def _groups(parent: Any) -> Iterator[tuple[str, ...]]:
    """The names of the linear layers of a module; in one group those that are joined to one."""
    import torch
    from transformers.pytorch_utils import Conv1D

    linear = [name for name, layer in parent.named_children() if type(layer) in (torch.nn.Linear, Conv1D)]
    for names in TOGETHER:
        layers = [getattr(parent, name) for name in names if name in linear]
        if len(layers) == len(names) and _alike(layers):
            yield names
            linear = [name for name in linear if name not in names]
    yield from ((name,) for name in linear)


def _alike(layers: Sequence[Any]) -> bool:
    """Whether layers can be joined: of the same input, and with a bias all or none."""
    kinds = {(type(layer), getattr(layer, "in_features", None), layer.bias is None) for layer in layers}
    return len(kinds) == 1 and hasattr(layers[0], "in_features")


def _joined(layers: Sequence[Any]) -> tuple[Any, Any]:
    """Weight (out, in) and bias of linear layers, one below the other."""
    import torch

    if len(layers) > 1:
        bias = None if layers[0].bias is None else torch.cat([layer.bias.data for layer in layers])
        return torch.cat([layer.weight.data for layer in layers]), bias
    (layer,) = layers
    return (layer.weight.data if type(layer) is torch.nn.Linear else layer.weight.data.t()), layer.bias


class _Whole:
    """Layers joined to one: computed when the first is asked, kept until the last has been."""

    def __init__(self, layer: Any, sizes: Sequence[int]) -> None:
        self.layer = layer
        self._sizes = list(sizes)
        self._given: Any = None
        self._parts: Sequence[Any] = ()

    def part(self, number: int, x: Any) -> Any:
        if x is not self._given:
            self._given, self._parts = x, self.layer(x).split(self._sizes, -1)
        found = self._parts[number]
        if number == len(self._sizes) - 1:
            self._given, self._parts = None, ()
        return found


def _shares(layer: Any, sizes: Sequence[int]) -> list[Any]:
    """Modules in the places of the layers that were joined."""
    import torch

    class Share(torch.nn.Module):
        """One of the layers that were joined."""

        def __init__(self, whole: _Whole, number: int, size: int) -> None:
            super().__init__()
            self.whole, self.out_features, self._number = whole, size, number

        def forward(self, x: Any) -> Any:
            return self.whole.part(self._number, x)

    whole = _Whole(layer, sizes)
    return [Share(whole, number, size) for number, size in enumerate(sizes)]


def _tried(
    make: Callable[[Any, Any], Any], weight: Any, bias: Any, allowed: float
) -> tuple[Any, float] | None:
    """A layer in its new layout and its error; None when it cannot be had or is not accepted."""
    import torch

    given = torch.randn((TRIED, 1, weight.shape[1]), generator=torch.Generator().manual_seed(1))
    given = given.to(weight.dtype)
    try:
        with torch.inference_mode():
            layer = make(weight.contiguous(), bias)
            wanted = torch.nn.functional.linear(given, weight, bias).float()
            error = float((layer(given).float() - wanted).norm() / wanted.norm().clamp(min=1e-9))
    except (RuntimeError, AttributeError, NotImplementedError) as reason:
        logger.info("A layer of %s stays as it is: %s", tuple(weight.shape), str(reason).split("\n")[0])
        return None
    return (layer, error) if error <= allowed else None


def _layouts() -> dict[str, Callable[[Any, Any], Any]]:
    """The layouts by name; made here, as torch is only imported when a model is loaded."""
    import torch

    ops = torch.ops.mkldnn

    class Packed(torch.nn.Module):
        """oneDNN's own layout, lossless."""

        def __init__(self, weight: Any, bias: Any) -> None:
            super().__init__()
            if not ops._is_mkldnn_bf16_supported():
                raise RuntimeError("this processor has no bfloat16")
            self._weight = ops._reorder_linear_weight(weight, 8)
            self._bias = bias

        def forward(self, x: Any) -> Any:
            return ops._linear_pointwise(x, self._weight, self._bias, "none", [], "")

    class Rounded(torch.nn.Module):
        """Weights of fewer bits, which are multiplied by rows of a matrix."""

        _bias: Any
        _rows: int

        def forward(self, x: Any) -> Any:
            found = self._product(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], self._rows)
            return found if self._bias is None else found + self._bias

        def _product(self, x: Any) -> Any:
            raise NotImplementedError

    class Int8(Rounded):
        """Eight bits, one scale for each output."""

        def __init__(self, weight: Any, bias: Any) -> None:
            super().__init__()
            scale = weight.float().abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
            self._weight = (weight.float() / scale).round().clamp(-127, 127).to(torch.int8)
            self._scale = scale[:, 0].to(weight.dtype)
            self._bias, self._rows = bias, len(weight)

        def _product(self, x: Any) -> Any:
            return torch._weight_int8pack_mm(x, self._weight, self._scale)

    class Int4(Rounded):
        """Four bits, a scale and a zero for each `GROUP` inputs of an output."""

        def __init__(self, weight: Any, bias: Any) -> None:
            super().__init__()
            groups = weight.float().reshape(len(weight), -1, GROUP)
            least, most = groups.amin(2, keepdim=True), groups.amax(2, keepdim=True)
            scale = ((most - least) / 15).clamp(min=1e-8)
            found = ((groups - least) / scale).round().clamp(0, 15).to(torch.int32).view_as(weight)
            self._weight = torch._convert_weight_to_int4pack_for_cpu(found, 1)
            both = torch.stack([scale[..., 0], least[..., 0] + 8 * scale[..., 0]], 2)
            self._scales = both.transpose(0, 1).contiguous().to(weight.dtype)
            self._bias, self._rows = bias, len(weight)

        def _product(self, x: Any) -> Any:
            return torch._weight_int4pack_mm_for_cpu(x, self._weight, GROUP, self._scales)

    return {"auto": Packed, "int8": Int8, "int4": Int4}
