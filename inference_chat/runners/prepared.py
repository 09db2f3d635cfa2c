"""Stepping any model that transformers can generate with, one token at a time.

`generate` knows for each family what must happen before its loop: pictures and sounds encoded, an encoder
run, positions counted, the cache made, the first tokens of a decoder set. It hands all this to a function
given as `custom_generate`; ours takes it and leaves. From there our own loop goes on with the same two
methods that `generate` uses for every step, so greedy answers are equal, token by token.
"""

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, ClassVar

from ..errors import InvalidModel
from .writing import AtOnce

CACHES = ("past_key_values", "cache_params", "state")
WORDS = frozenset({"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"})
"""Inputs of a prompt that is words alone; families name all others as they like."""
PREFILL_CHUNK = 512
"""Prompt tokens read at once: others wait no longer, and a stop is seen in between."""


class _Near:
    """A logits processor of the model that works where the model is; logits come from the CPU and return."""

    def __init__(self, rule: Any, device: Any) -> None:
        self._rule = rule
        self._device = device

    def __call__(self, ids: Any, scores: Any) -> Any:
        return self._rule(ids.to(self._device), scores.to(self._device)).to(scores.device)


class _Taken(Exception):
    """Carries what `generate` has prepared out of it."""

    def __init__(self, model: Any, ids: Any, rules: Any, config: Any, kwargs: dict[str, Any]) -> None:
        super().__init__("prepared")
        self.found = (model, ids, rules, config, kwargs)


_ASKING = ContextVar("_ASKING", default=False)


class _Told(Exception):
    """Carries what a decoder is given out of a model."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__("told")
        self.told = told


class PreparedSteps(AtOnce):
    """A model with its inputs, as `generate` would begin with them. Call `read` until it has read all.

    `more` is what each of its passes is asked for besides; `made` is told what came of each.
    """

    more: ClassVar[dict[str, Any]] = {}

    def made(self, out: Any) -> None:
        """Take note of what a pass has made."""

    def __init__(self, model: Any, inputs: dict[str, Any], **how: Any) -> None:
        """Prepares `inputs` (of one conversation); this runs the encoder where there is one.

        `how` goes to `generate`. Raises `InvalidModel` when the model does not generate by steps.
        """
        import torch

        with torch.no_grad():  # in inference mode encoders could not give the turn away
            found = _prepared(model, inputs, how)
        self._model, self._ids, rules, config, kwargs = found
        self.rules = [
            rule if self._ids.device.type == "cpu" else _Near(rule, self._ids.device) for rule in rules
        ]
        self._kwargs: dict[str, Any] = kwargs
        self.ends = frozenset(_numbers(config.eos_token_id))
        self._total: int = self._ids.shape[1] or self._kwargs["inputs_embeds"].shape[1]
        self._read = 0
        embeds = self._kwargs.get("inputs_embeds") is not None
        self.has_media = not inputs.keys() <= WORDS
        self._whole = self._encoder_decoder or embeds or self.has_media
        self.logits: Any = None

    @property
    def said(self) -> list[int]:
        """The tokens of the text so far: the prompt, or what a decoder begins with."""
        return [int(token) for token in self._ids[0]]

    @property
    def encoded(self) -> Any:
        """What the encoder made of the inputs."""
        return self._kwargs.get("encoder_outputs")

    def told(self, decoder: Any) -> dict[str, Any]:
        """What the model gives a decoder, one of its parts, to read the whole prompt; it is not read."""
        import torch

        def tell(decoder: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            if _ASKING.get():  # others may read by it meanwhile
                raise _Told(named)

        asking = _ASKING.set(True)
        hook = decoder.register_forward_pre_hook(tell, with_kwargs=True)
        try:
            with torch.no_grad():
                self._model(**self._inputs(self._ids, first=True, **self._kwargs))
        except _Told as found:
            return found.told
        finally:
            hook.remove()
            _ASKING.reset(asking)
        raise InvalidModel(f"A {type(self._model).__name__} does not ask its decoder; it cannot be run here.")

    @property
    def fraction(self) -> float:
        """How much has been read."""
        return self._read / self._total

    def read(self) -> None:
        """Read the next piece of the prompt, or all of it where pictures or sounds are in it."""
        end = self._total if self._whole else min(self._total, self._read + PREFILL_CHUNK)
        self.logits = self._forward(self._ids, first=True, **self._piece(end))
        self._read = end
        if end == self._total:
            self._grow()

    def next(self, tokens: Sequence[int]) -> Any:
        import torch

        new = torch.tensor(tokens, dtype=torch.long, device=self._ids.device)
        with torch.inference_mode():
            self._ids = torch.cat([self._ids, new[:, None]], dim=1)
        length = 1 if self._kwargs.get("use_cache") else None
        logits = self._forward(self._ids, first=False, next_sequence_length=length, **self._kwargs)
        self._grow()
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        import torch

        before = self._ids.shape[0]
        index = torch.tensor(rows, dtype=torch.long, device=self._ids.device)
        with torch.inference_mode():
            self._ids = self._ids[index]
            for name, value in self._kwargs.items():
                self._kwargs[name] = _chosen(value, index, before)

    @property
    def _encoder_decoder(self) -> bool:
        return bool(self._model.config.is_encoder_decoder)

    def _piece(self, end: int) -> dict[str, Any]:
        """The inputs for the tokens up to `end`: whatever has one value a token is cut to them."""
        if self._read == 0 and end == self._total:
            return self._kwargs
        cut: dict[str, Any] = {"next_sequence_length": end - self._read}
        for name in ("attention_mask", "position_ids", "token_type_ids", "mm_token_type_ids"):
            if (value := self._kwargs.get(name)) is not None:
                cut[name] = value[..., :end]
        return self._kwargs | cut | {"cut": end}

    def _forward(self, ids: Any, first: bool, cut: int | None = None, **kwargs: Any) -> Any:
        import torch

        # The mode is entered for one step only: it belongs to the thread, and other requests step between.
        with torch.inference_mode():
            inputs = self._inputs(ids if cut is None else ids[:, :cut], first, **kwargs)
            self._out = self._model(**inputs, return_dict=True, **self.more)
            self.made(self._out)
            return self._out.logits[:, -1].to(device="cpu", dtype=torch.float32)

    def _inputs(self, ids: Any, first: bool, **kwargs: Any) -> Any:
        """What the model is given for a pass over all tokens so far."""
        return self._model.prepare_inputs_for_generation(ids, is_first_iteration=first, **kwargs)

    def _grow(self) -> None:
        import torch

        with torch.inference_mode():
            self._kwargs = self._model._update_model_kwargs_for_generation(
                self._out, self._kwargs, is_encoder_decoder=self._encoder_decoder
            )
        del self._out


def _prepared(model: Any, inputs: dict[str, Any], how: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
    # It warns of settings that clash, which is for people who write programs. (To set a level costs
    # each time: every logger of the process forgets what it knew.)
    if (warner := logging.getLogger("transformers.generation.utils")).level != logging.ERROR:
        warner.setLevel(logging.ERROR)
    plain = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "num_return_sequences": 1}
    try:
        model.generate(**inputs, **plain | how, custom_generate=_take)
    except _Taken as taken:
        return taken.found
    raise InvalidModel(f"A {type(model).__name__} does not write by steps; it cannot be run here.")


def _take(  # the names are those of `generate`'s own loops
    model: Any,
    input_ids: Any,
    logits_processor: Any = (),
    stopping_criteria: Any = (),
    generation_config: Any = None,
    **model_kwargs: Any,
) -> None:
    raise _Taken(model, input_ids, logits_processor, generation_config, model_kwargs)


def _numbers(ids: Any) -> list[int]:
    if ids is None:
        return []
    return [int(one) for one in ids] if isinstance(ids, list | tuple) else [int(ids)]


def _chosen(value: Any, index: Any, rows: int) -> Any:
    """These rows of a value that has one for each answer; anything else as it is."""
    import torch
    from transformers.utils.generic import ModelOutput

    if hasattr(value, "reorder_cache"):
        value.reorder_cache(index)
    elif isinstance(value, ModelOutput):
        return type(value)(**{name: _chosen(part, index, rows) for name, part in value.items()})
    elif isinstance(value, torch.Tensor):
        # Positions of several axes have the answers second.
        dim = next((d for d in range(min(2, value.ndim)) if value.shape[d] == rows), None)
        return value if dim is None else value.index_select(dim, index)
    return value
