"""The weights of a language model on a CPU, laid out for speed: packed, or rounded to fewer bits.

What writing a token costs is reading all weights once. oneDNN reads bfloat16 quickest in a layout of its
own, and eight or four bits are half or a quarter to read. These are operators of torch without a public
name: each layer is tried when it is exchanged, and stays as it is where that fails.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

logger = logging.getLogger(__name__)
GROUP = 32
"""Weights of four bits that share a scale and a zero."""
ALLOWED = {"auto": 0.02, "int8": 0.03, "int4": 0.2}
"""Largest error of a layer that is accepted, as a share of its output's norm."""
TRIED = 3
ROUNDED = ("int8", "int4")


class Layout(Protocol):
    """What takes the place of a layer: built of a weight (out, in) in bfloat16 and a bias."""

    def __init__(self, weight: Any, bias: Any) -> None: ...


def rearrange(model: Any, quantization: str) -> float | None:
    """Exchange the linear layers of a bfloat16 model on a CPU; those that cannot be stay.

    `quantization` is `auto` (packed, lossless), `int8` or `int4`. The mean error of the layers that were
    exchanged, as a share of their outputs' norm; None when none was.
    """
    layouts = _layouts()
    errors: list[float] = []
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if (parts := _parts(layer)) is None:
                continue
            found = _tried(layouts[quantization], *parts, ALLOWED[quantization])
            if found is not None:
                setattr(parent, name, found[0])
                errors.append(found[1])
    if not errors:
        return None
    # What is left would hold on to the whole file that it is mapped from.
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    return sum(errors) / len(errors)


def _parts(layer: Any) -> tuple[Any, Any] | None:
    """Weight (out, in) and bias of a linear layer; None for any other."""
    import torch
    from transformers.pytorch_utils import Conv1D

    if type(layer) is torch.nn.Linear:
        return layer.weight.data, layer.bias
    return (layer.weight.data.t(), layer.bias) if type(layer) is Conv1D else None


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
