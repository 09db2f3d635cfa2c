"""Whether a model can be read in pieces of many texts at once: found out by trying, when it is loaded.

Two texts of random tokens are read interleaved, in pieces and token by token, and the logits are compared
with those of the model's plain forward pass over each text alone. Logits, as tokens prove little: the
likeliest one is often the same for a model that sees nothing. What short texts cannot show is asked of
the layers themselves.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from .attention import NAME, How, Piece, register
from .batch import Batch, forward
from .half import Half
from .lean import Lean
from .slot import Shape, Slot

logger = logging.getLogger(__name__)
TOLERANCES = {"float32": 1e-3}
TOLERANCE = 0.04
"""Largest difference of two logits, as a share of their range, that rounding explains."""
BY_LENGTH = ("dynamic", "longrope")
"""Rotary positions that depend on how long the longest text of a batch is."""
Wanted = list[tuple[list[int], Any]]
STEPS = (((0, 5),), ((0, 4), (1, 7)), ((1, 1), (0, 1)), ((1, 3), (0, 1)))
"""Which text goes on by how many tokens in each step."""


class Unfit(Exception):
    """A model that reads one text at a time; it says why."""


class _Survey:
    """A forward pass over one token, which sees itself only; notes what each layer is like."""

    def __init__(self) -> None:
        self.layers: dict[int, tuple[Any, Any, How]] = {}

    def attend(self, layer: int, query: Any, key: Any, value: Any, how: How) -> Any:
        self.layers[layer] = (key, value, how)
        return value.repeat_interleave(len(query) // len(value), 0).transpose(0, 1)


def opened(model: Any, room: int) -> Batch:
    """A batch for a causal language model, with `room` bytes for texts that are kept.

    Raises `Unfit` when it has to read one text at a time; then it is as it was before.
    """
    import torch

    before = model.config._attn_implementation
    try:
        _ask(model)
        wanted = list(_plainly(model))
        register()
        model.set_attn_implementation(NAME)
        with torch.inference_mode():
            shape, hows = _surveyed(model, model)
            reader = _lean(model, hows, shape, wanted)
            if reader is None:
                _compare(model, shape, wanted)
    except Exception as error:  # somebody else's model may raise anything when it is run as nobody foresaw
        if model.config._attn_implementation != before:
            model.set_attn_implementation(before)
        raise _unfit(error) from error
    return Batch(model, shape, room, reader)


def opened_half(model: Any, room: int) -> Batch:
    """The same for the language half of a model that sees or hears; the model stays as it is."""
    import torch

    try:
        _ask(model.get_decoder())
        register()
        with torch.inference_mode():
            half = Half(model, _axes(model))
            wanted = list(_plainly(model))
            shape, hows = _surveyed(model, half)
            reader = _lean(model, hows, shape, wanted)
            if reader is None:
                _compare(half, shape, wanted)
    except Exception as error:
        raise _unfit(error) from error
    return Batch(model, shape, room, reader or half)


def _unfit(error: Exception) -> Unfit:
    return error if isinstance(error, Unfit) else Unfit(f"it raised {type(error).__name__}")


def _axes(model: Any) -> int:
    """How many positions a token has: one, or one for each direction in which it may lie."""
    import torch

    told: dict[str, Any] = {}
    hook = model.get_decoder().register_forward_pre_hook(
        lambda decoder, args, named: told.update(named), with_kwargs=True
    )
    try:
        model(input_ids=torch.tensor([[0, 0]], device=model.device), use_cache=False)
    finally:
        hook.remove()
    places = told.get("position_ids")
    return 1 if places is None else places.numel() // places.shape[-1]


def _lean(model: Any, hows: Mapping[int, How], shape: Shape, wanted: Wanted) -> Lean | None:
    """The model's forward pass written out; None where it is not known, or computes something else."""
    try:
        lean = Lean(model.get_decoder(), model.get_output_embeddings(), hows)
        _compare(lean, shape, wanted)
    except Exception as error:  # noqa: BLE001 - a class of a known name may have been changed in any way
        logger.info("%s is read by its own forward pass: %s", type(model).__name__, error)
        return None
    return lean


def _ask(model: Any) -> None:
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    if not model._can_set_attn_implementation():
        raise Unfit("its attention cannot be exchanged")
    layers = DynamicCache(config=model.config).layers
    if not all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers):
        raise Unfit("it keeps a state instead of keys and values")
    if set(_types(getattr(model.config, "rope_parameters", None))) & set(BY_LENGTH):
        raise Unfit("its positions depend on the length of the text")


def _types(parameters: Any) -> Iterator[str]:
    """Every `rope_type` in parameters that may be nested."""
    if isinstance(parameters, dict):
        yield str(parameters.get("rope_type", ""))
        for value in parameters.values():
            yield from _types(value)


def _texts(model: Any) -> list[list[int]]:
    """Two texts of tokens that lie far apart; the same at each call."""
    import torch

    choose = torch.Generator().manual_seed(8)
    size = model.get_input_embeddings().num_embeddings
    return [torch.randint(size, (11,), generator=choose).tolist() for _ in range(2)]


def _plainly(model: Any) -> Iterator[tuple[list[int], Any]]:
    """Two texts, and the logits (tokens, vocabulary) of each by the plain forward pass."""
    import torch

    with torch.inference_mode():
        for ids in _texts(model):
            tokens = torch.tensor([ids], device=model.device)
            yield ids, model(input_ids=tokens, use_cache=False).logits[0].float().cpu()


def _surveyed(model: Any, reader: Any) -> tuple[Shape, dict[int, How]]:
    """What the layers keep, and what their attention is like; raises `Unfit` when not all take part alike."""
    survey = _Survey()
    forward(reader, [Piece(Slot(Shape(0, 0, 0, 0, model.dtype, model.device), [0]), 1)], survey)
    config = model.config.get_text_config(decoder=True)
    if sorted(survey.layers) != list(range(config.num_hidden_layers)):
        raise Unfit("not all of its layers have an attention that can be exchanged")
    sizes = {(len(k), k.shape[-1], v.shape[-1], k.dtype) for k, v, _ in survey.layers.values()}
    if len(sizes) != 1:
        raise Unfit("its layers differ in what they keep")
    for layer, (_, _, how) in survey.layers.items():
        if how.window != _window(config, layer):
            raise Unfit("a layer does not tell how far it looks back")
    ((heads, key, value, dtype),) = sizes
    shape = Shape(config.num_hidden_layers, heads, key, value, dtype, model.device)
    return shape, {layer: how for layer, (_, _, how) in survey.layers.items()}


def _window(config: Any, layer: int) -> int | None:
    """How many tokens a layer sees by its model's config; None for all."""
    types = getattr(config, "layer_types", None)
    kind = types[layer] if types else "sliding_attention"
    if kind not in ("sliding_attention", "full_attention"):
        raise Unfit(f"it has {kind.replace('_', ' ')}")
    return getattr(config, "sliding_window", None) if kind == "sliding_attention" else None


def _compare(reader: Any, shape: Shape, wanted: Wanted) -> None:
    """Read both texts interleaved; raises `Unfit` when the logits are others."""
    slots = [Slot(shape, ids) for ids, _ in wanted]
    limit = TOLERANCES.get(str(shape.dtype).removeprefix("torch."), TOLERANCE)
    for step in STEPS:
        pieces = [Piece(slots[which], count) for which, count in step]
        found = forward(reader, pieces)
        for (which, count), row in zip(step, found, strict=True):
            slots[which].read += count
            plain = wanted[which][1][slots[which].read - 1]
            if not float((row - plain).abs().max()) <= limit * float(plain.max() - plain.min()):
                raise Unfit("it computes something else that way")
