"""How the weights of a linear layer can lie in memory: packed as oneDNN reads them quickest, or rounded.

These are operators of torch without a public name, which raise where a build or a processor lacks them.
"""

from collections.abc import Sequence
from typing import Any, Protocol

GROUP = 32
"""Weights of four bits that share a scale and a zero."""
ROWS, ONCE, SOME, MANY = 4, 6, 16, 32
"""Rows of a packed product are at least the first, or the second, of which oneDNN still reads the weights
once only; else a multiple of the first up to 16 of them, of the third up to 128, then of the fourth: oneDNN
makes and keeps code for each number of them, half a megabyte and some milliseconds."""
LARGE = 1 << 20
"""Weights of a layer from which on four rows are multiplied sooner than one, by up to a fifth."""


class Layout(Protocol):
    """What takes the place of layers of the same input: built of weights (out, in) and a bias."""

    plain: tuple[Any, ...]
    """The weights that it was made of, as long as they are at hand."""

    @property
    def bytes(self) -> int:
        """Memory of what was laid out."""

    def __init__(self, weights: Sequence[Any], bias: Any) -> None: ...

    def __call__(self, x: Any) -> Any: ...

    def plainly(self, x: Any) -> Any:
        """The same by the plain weights."""

    def make(self) -> None:
        """Lay the plain weights out."""

    def drop(self) -> None:
        """Forget what was laid out."""


def filled(x: Any, rows: int) -> Any:
    """At least so many rows, the last of zeros."""
    import torch

    more = rows - len(x)
    return torch.cat((x, x.new_zeros((more, *x.shape[1:])))) if more > 0 else x


def _padded(rows: int) -> int:
    """How many rows are multiplied instead of so many."""
    if ROWS < rows <= ONCE:
        return ONCE
    grain = ROWS if rows <= 16 else SOME if rows <= 128 else MANY
    return -(-rows // grain) * grain


def layouts() -> dict[str, type[Layout]]:
    """The layouts by name; made here, as torch is only imported when a model is loaded."""
    import torch

    ops = torch.ops.mkldnn

    class Made(torch.nn.Module):
        """A layer that is made of its plain weights, and can be dropped and made again."""

        _made: tuple[Any, ...] = ()

        def __init__(self, weights: Sequence[Any], bias: Any) -> None:
            super().__init__()
            self.plain = tuple(weights)
            self._bias = bias
            self._sizes = [len(weight) for weight in weights]
            self.make()

        def plainly(self, x: Any) -> Any:
            biases = [None] * len(self.plain) if self._bias is None else self._bias.split(self._sizes)
            found = [
                torch.nn.functional.linear(x, weight, bias)
                for weight, bias in zip(self.plain, biases, strict=True)
            ]
            return found[0] if len(found) == 1 else torch.cat(found, -1)

        def make(self) -> None:
            with torch.inference_mode():
                whole = self.plain[0] if len(self.plain) == 1 else torch.cat(self.plain)
                self._made = self._laid(whole.contiguous())

        def drop(self) -> None:
            self._made = ()

        @property
        def bytes(self) -> int:
            return sum(part.numel() * part.element_size() for part in self._made)

        def _laid(self, weight: Any) -> tuple[Any, ...]:
            raise NotImplementedError

    class Packed(Made):
        """oneDNN's own layout, lossless: until it is made again the plain weights give the same numbers, in
        float32 but for the order of sums. `least` rows are multiplied where one is given."""

        def __init__(self, weights: Sequence[Any], bias: Any) -> None:
            super().__init__(weights, bias)
            given = torch.randn((2, weights[0].shape[1]), generator=torch.Generator().manual_seed(2))
            given = given.to(weights[0].dtype)
            with torch.inference_mode():
                # One row alone may be summed in another order than beside others.
                same = torch.equal(self._product(given[:1])[0], self._product(given)[0])
            large = sum(weight.numel() for weight in weights) >= LARGE
            self.least = ROWS if large or not same else 1

        def _laid(self, weight: Any) -> tuple[Any, ...]:
            if weight.dtype is torch.bfloat16 and not ops._is_mkldnn_bf16_supported():
                raise RuntimeError("this processor has no bfloat16")
            return (ops._reorder_linear_weight(weight, 8),)

        def forward(self, x: Any) -> Any:
            if not self._made:
                return self.plainly(x)
            count = x.numel() // x.shape[-1]
            rows = self.least if count == 1 else _padded(count)
            if rows == count:
                return self._product(x)
            found = self._product(filled(x.reshape(count, -1), rows))
            return found[:count].view(*x.shape[:-1], -1)

        def _product(self, x: Any) -> Any:
            return ops._linear_pointwise(x, *self._made, self._bias, "none", [], "")

    class Rounded(Made):
        """Weights of fewer bits, which are multiplied by rows of a matrix."""

        def forward(self, x: Any) -> Any:
            if not self._made:
                self.make()
            found = self._product(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], sum(self._sizes))
            return found if self._bias is None else found + self._bias

        def _product(self, x: Any) -> Any:
            raise NotImplementedError

    class Int8(Rounded):
        """Eight bits, one scale for each output."""

        def _laid(self, weight: Any) -> tuple[Any, ...]:
            scale = weight.float().abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
            rounded = (weight.float() / scale).round().clamp(-127, 127).to(torch.int8)
            return rounded, scale[:, 0].to(weight.dtype)

        def _product(self, x: Any) -> Any:
            return torch._weight_int8pack_mm(x, *self._made)

    class Int4(Rounded):
        """Four bits, a scale and a zero for each `GROUP` inputs of an output."""

        def _laid(self, weight: Any) -> tuple[Any, ...]:
            groups = weight.float().reshape(len(weight), -1, GROUP)
            least, most = groups.amin(2, keepdim=True), groups.amax(2, keepdim=True)
            scale = ((most - least) / 15).clamp(min=1e-8)
            found = ((groups - least) / scale).round().clamp(0, 15).to(torch.int32).view_as(weight)
            both = torch.stack([scale[..., 0], least[..., 0] + 8 * scale[..., 0]], 2)
            scales = both.transpose(0, 1).contiguous().to(weight.dtype)
            return torch._convert_weight_to_int4pack_for_cpu(found, 1), scales

        def _product(self, x: Any) -> Any:
            packed, scales = self._made
            return torch._weight_int4pack_mm_for_cpu(x, packed, GROUP, scales)

    return {"auto": Packed, "int8": Int8, "int4": Int4}
