"""The weights of a language model on a CPU, laid out for speed: packed, or rounded to fewer bits.

What writing a token costs is reading all weights once. oneDNN reads bfloat16 and float32 quickest in a
layout of its own, and eight or four bits are half or a quarter to read. What it makes of a row does not
depend on the rows beside it, as it does with torch's own products in float32. These are operators of torch
without a public name: each layer is tried when it is exchanged, and stays as it is where that fails.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .layouts import Layout, layouts

logger = logging.getLogger(__name__)
ALLOWED = {"auto": 0.02, "int8": 0.03, "int4": 0.2}
"""Largest error of a layer that is accepted, as a share of its output's norm."""
TRIED = 3
TOGETHER = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers that are given the same numbers: one large matrix is read quicker than several small ones."""
ROUNDED = ("int8", "int4")
LAID = {"auto": ("bfloat16", "float32"), "int8": ("bfloat16",), "int4": ("bfloat16",)}
"""Types of weights that can be laid out."""


class Laid:
    """The layers of a model that were exchanged."""

    def __init__(self, layers: Sequence[Layout], error: float, *, again: bool) -> None:
        """`error` is their mean one, as a share of their outputs' norm.

        `again` says whether their plain weights stay, mapped from a file, so that what was made of them can
        be dropped and made again.
        """
        self.error = error
        self.again = again
        self._layers = layers
        self._waiting: deque[Layout] = deque()

    @property
    def bytes(self) -> int:
        """What `drop` would give back."""
        return sum(layer.bytes for layer in self._layers)

    def drop(self) -> None:
        """Give back the memory of all layers; packed ones go on by their plain weights."""
        self._waiting.clear()
        for layer in self._layers:
            layer.drop()

    def wake(self) -> None:
        """All layers are to be made again."""
        self._waiting.extend(self._layers)

    def make(self) -> Iterator[None]:
        """Make the layers that are to be made again, one in a step; it ends where they are dropped."""
        while self._waiting:
            self._waiting.popleft().make()
            yield


def rearrange(
    model: Any,
    quantization: str,
    mapped: Callable[[int], bool] = lambda address: False,
    trial: Callable[[], object] | None = None,
) -> Laid | None:
    """Exchange the linear layers of a model on a CPU; those that cannot be stay.

    `quantization` is `auto` (packed, lossless, bfloat16 or float32), `int8` or `int4` (bfloat16); `mapped`
    tells of an address whether a file is mapped there. `trial` uses the model: layers that it does not call,
    and those without whose own weights it fails, stay. None when no layer was exchanged.
    """
    import torch

    make, allowed = layouts()[quantization], ALLOWED[quantization]
    with torch.inference_mode():
        fit = _called(model, trial) if trial else set(model.modules())
        exchanges = [
            exchange
            for parent in list(model.modules())
            for names in _groups(parent, fit)
            if (exchange := _Exchange.tried(parent, names, make, allowed)) is not None
        ]
        if trial:
            exchanges = _working(exchanges, trial)
    if not exchanges:
        return None
    made = [exchange.made for exchange in exchanges]
    errors = [exchange.error for exchange in exchanges for _ in exchange.names]
    again = all(mapped(weight.data_ptr()) for layer in made for weight in layer.plain)
    if not again:
        del exchanges
        _let_go(model, made)
    return Laid(made, sum(errors) / len(errors), again=again)


def _called(model: Any, trial: Callable[[], object]) -> set[Any]:
    """The modules that a trial calls; none where it fails."""
    called: set[Any] = set()
    hooks = [module.register_forward_pre_hook(lambda one, _: called.add(one)) for module in model.modules()]
    try:
        return called if _works(trial) else set()
    finally:
        for hook in hooks:
            hook.remove()


def _works(trial: Callable[[], object]) -> bool:
    try:
        trial()
    except Exception as error:  # noqa: BLE001 - somebody else's model may take other inputs, or look at weights
        logger.info("It does not work that way: %s", str(error).split("\n")[0])
        return False
    return True


def _working(exchanges: "list[_Exchange]", trial: Callable[[], object]) -> "list[_Exchange]":
    """Those with which a model works; the layers of the others are put back.

    A model that looks at a layer's weights itself does so with those of the same name in all its blocks.
    """
    if not exchanges or _works(trial):
        return exchanges
    for exchange in exchanges:
        exchange.undo()
    fit = set()
    for names in dict.fromkeys(exchange.names for exchange in exchanges):
        alike = [exchange for exchange in exchanges if exchange.names == names]
        for exchange in alike:
            exchange.do()
        if _works(trial):
            fit.add(names)
        else:
            for exchange in alike:
                exchange.undo()
    return [exchange for exchange in exchanges if exchange.names in fit]


@dataclass(eq=False)
class _Exchange:
    """Linear layers of a module and what took their place."""

    parent: Any
    names: tuple[str, ...]
    plain: Sequence[Any]
    shares: Sequence[Any]
    made: Layout
    error: float

    @classmethod
    def tried(
        cls, parent: Any, names: tuple[str, ...], make: type[Layout], allowed: float
    ) -> "_Exchange | None":
        """The layers exchanged; None, and they stay, when that cannot be done or is not accepted."""
        layers = [getattr(parent, name) for name in names]
        found = _tried(make, *_parts(layers), allowed)
        if found is None:
            return None
        shares = _shares(found[0], [layer.out_features for layer in layers]) if layers[1:] else found[:1]
        exchange = cls(parent, names, layers, shares, *found)
        exchange.do()
        return exchange

    def do(self) -> None:
        self._put(self.shares)

    def undo(self) -> None:
        self._put(self.plain)

    def _put(self, layers: Sequence[Any]) -> None:
        for name, layer in zip(self.names, layers, strict=True):
            setattr(self.parent, name, layer)


def _let_go(model: Any, made: Sequence[Layout]) -> None:
    """Keep no plain weights; what is left would hold on to the whole file that it is mapped from."""
    for layer in made:
        layer.plain = ()
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()


def at_once(layers: Sequence[Any]) -> Callable[[Any], Any]:
    """The outputs of layers that are given the same numbers, one after the other in the last dimension."""
    import torch

    whole = getattr(layers[0], "whole", None)
    if whole is not None and all(getattr(layer, "whole", None) is whole for layer in layers):
        return whole.layer  # type: ignore[no-any-return]
    return lambda x: torch.cat([layer(x) for layer in layers], -1)


def _groups(parent: Any, fit: set[Any]) -> Iterator[tuple[str, ...]]:
    """The names of the linear layers of a module, among those that are `fit`; in one group those that are
    joined to one."""
    import torch
    from transformers.pytorch_utils import Conv1D

    linear = [
        name
        for name, layer in parent.named_children()
        if type(layer) in (torch.nn.Linear, Conv1D) and layer in fit
    ]
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


def _parts(layers: Sequence[Any]) -> tuple[list[Any], Any]:
    """Weights (out, in) of linear layers, and their biases one after the other."""
    import torch

    turned = [type(layer) is not torch.nn.Linear for layer in layers]
    weights = [layer.weight.data for layer in layers]
    weights = [weight.t() if turn else weight for weight, turn in zip(weights, turned, strict=True)]
    if layers[0].bias is None:
        return weights, None
    return weights, torch.cat([layer.bias.data for layer in layers])


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
    make: type[Layout], weights: Sequence[Any], bias: Any, allowed: float
) -> tuple[Layout, float] | None:
    """A layer in its new layout and its error; None when it cannot be had or is not accepted."""
    import torch

    given = torch.randn((TRIED, 1, weights[0].shape[1]), generator=torch.Generator().manual_seed(1))
    given = given.to(weights[0].dtype)
    try:
        with torch.inference_mode():
            layer = make(weights, bias)
            wanted = layer.plainly(given).float()
            error = float((layer(given).float() - wanted).norm() / wanted.norm().clamp(min=1e-9))
    except (RuntimeError, AttributeError, NotImplementedError) as reason:
        logger.info("A layer of %s stays as it is: %s", tuple(weights[0].shape), str(reason).split("\n")[0])
        return None
    return (layer, error) if error <= allowed else None
