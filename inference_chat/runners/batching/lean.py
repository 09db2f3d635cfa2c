"""The forward pass of Llama and its like, written out: what a small step costs beside its matrices.

transformers goes through some 120 modules for a model of twelve layers, each with arguments, casts and
hooks of its own. Here the same arithmetic is done layer by layer with a quarter of the calls. It is only
used for classes whose layers are known to be like that, and only where a trial gives the plain logits.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..layouts import filled
from ..linears import at_once
from .attention import PLAN, How
from .given import Part, placed

CLASSES = ("LlamaModel", "MistralModel", "Qwen2Model", "Qwen3Model")
"""Norm, attention, norm, gated layers; queries and keys turned by their positions, maybe normed before."""
GRAIN = 32768
"""Numbers from which on torch shares them among threads."""


class Found(NamedTuple):
    """What a forward pass returns, as transformers names it."""

    logits: Any


def rows_kept(logits_to_keep: Any) -> Any:
    """The tokens whose logits are asked for, as transformers says it: the last so many (0: all), or these."""
    return slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep


class _Layer(NamedTuple):
    number: int
    how: How
    before: Callable[[Any], Any]
    qkv: Callable[[Any], Any]
    normed: Callable[[Any, int], Any] | None
    out: Callable[[Any], Any]
    after: Callable[[Any], Any]
    gates: Callable[[Any], Any]
    act: Callable[[Any], Any]
    down: Callable[[Any], Any]


class Lean:
    """A forward pass over tokens in one row, called as the model is; for `torch.inference_mode`."""

    def __init__(self, body: Any, head: Any, hows: Mapping[int, How]) -> None:
        """From a decoder and a head; `hows` says what each layer's attention is like.

        Raises `ValueError` for other decoders.
        """
        if type(body).__name__ not in CLASSES or body.device.type != "cpu":
            raise ValueError("its layers are not known")
        self._width = int(body.layers[0].self_attn.head_dim)
        self._heads, self._keys = body.config.num_attention_heads, body.config.num_key_value_heads
        self._inner = body.config.intermediate_size
        self._embed, self._head = body.embed_tokens, head
        self._turns = body.rotary_emb
        self._norm = _norm(body.norm)
        self._layers = [_layer(number, layer, hows[number]) for number, layer in enumerate(body.layers)]
        self._least: int = getattr(self._layers[0].gates, "least", 1)
        # Nobody looks at what the last layer makes of tokens whose logits are not asked for. With a window,
        # what a piece sees is cut for its first token.
        last = self._layers[-1]
        self._narrow = last.number if last.how.window is None else None

    def __call__(
        self,
        input_ids: Any,
        position_ids: Any,
        logits_to_keep: Any = 0,
        use_cache: bool = False,
        given: Sequence[Part] = (),
    ) -> Found:
        """Logits (1, tokens kept, vocabulary) for tokens and positions (1, tokens)."""
        x = placed(self._embed(input_ids[0]), given)
        cos, sin = self._turned(x, position_ids)
        count, kept = len(x), rows_kept(logits_to_keep)
        attend = PLAN.get().attend
        x = filled(x, self._least)
        for layer in self._layers:
            query, key, value = self._asked(layer, layer.before(x), cos, sin)
            if layer.number == self._narrow:
                query, x = query[:, kept], x[:count][kept]
                x, count = filled(x, self._least), len(x)
            seen = attend(layer.number, query, key, value, layer.how)
            x = layer.out(filled(seen.reshape(count, -1), self._least)).add_(x)
            gate, up = layer.gates(self._shared(layer.after(x))).chunk(2, -1)
            x = layer.down(layer.act(gate).mul_(up)[: len(x)]).add_(x)
        x = x[:count]
        if self._narrow is None:
            x = x[kept]
        return Found(self._head(self._norm(x))[None])

    def _shared(self, x: Any) -> Any:
        """Rows with some of zeros behind them, so that threads are given whole rows of their gates.

        Where a thread's share ends within a row, torch computes the numbers before it by another function,
        and a text's last digits would depend on how it was cut.
        """
        import torch

        if len(x) * self._inner <= GRAIN:
            return x
        rows = shared(len(x), self._inner, torch.get_num_threads())
        return x if rows == len(x) else torch.cat((x, x.new_zeros(rows - len(x), x.shape[1])))

    def _turned(self, x: Any, positions: Any) -> tuple[Any, Any]:
        """Cosines and sines (tokens, 1, numbers); those of the first half are of the other sign."""
        import torch

        cos, sin = self._turns(x, positions)
        half = self._width // 2
        return cos[0, :, None], torch.cat((-sin[0, :, None, :half], sin[0, :, None, half:]), -1)

    def _asked(self, layer: _Layer, x: Any, cos: Any, sin: Any) -> tuple[Any, Any, Any]:
        """Query, key and value (heads, tokens, numbers); there may be more rows than tokens."""
        found = layer.qkv(x)[: len(cos)].view(len(cos), -1, self._width)
        turning = found[:, : self._heads + self._keys]
        if layer.normed is not None:
            turning = layer.normed(turning, self._heads)
        turned = (turning * cos).addcmul_(turning.roll(self._width // 2, -1), sin).transpose(0, 1)
        return turned[: self._heads], turned[self._heads :], found[:, -self._keys :].transpose(0, 1)


def shared(rows: int, width: int, threads: int) -> int:
    """So many rows or some more, of which torch gives each of so many threads the same number."""
    while rows % min(threads, -(-rows * width // GRAIN)):
        rows += 1
    return rows


def _layer(number: int, layer: Any, how: How) -> _Layer:
    attention, gated = layer.self_attn, layer.mlp
    return _Layer(
        number,
        how,
        _norm(layer.input_layernorm),
        at_once([attention.q_proj, attention.k_proj, attention.v_proj]),
        _normed(attention.q_norm, attention.k_norm) if hasattr(attention, "q_norm") else None,
        attention.o_proj,
        _norm(layer.post_attention_layernorm),
        at_once([gated.gate_proj, gated.up_proj]),
        gated.act_fn,
        gated.down_proj,
    )


def _norm(module: Any) -> Callable[[Any], Any]:
    """The norm of the root mean square."""
    import torch

    weight, margin = module.weight, module.variance_epsilon
    shape: Sequence[int] = tuple(weight.shape)
    return lambda x: torch.rms_norm(x, shape, weight, margin)


def _normed(queries: Any, keys: Any) -> Callable[[Any, int], Any]:
    """Norms of queries and keys (tokens, heads, numbers), of which so many are queries."""
    import torch

    query, key = _norm(queries), _norm(keys)
    return lambda x, heads: torch.cat((query(x[:, :heads]), key(x[:, heads:])), 1)
