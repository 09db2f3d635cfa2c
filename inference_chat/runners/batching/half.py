"""The language half of a model that sees or hears: it reads words and what became of pictures alike."""

from collections.abc import Sequence
from typing import Any

from .attention import NAME
from .given import Part, placed, stacked
from .lean import Found, rows_kept


class Half:
    """A forward pass over tokens in one row, by the decoder and the head of a multimodal model.

    Our attention is there for this pass only: the model's other passes have masks, and their own.
    """

    def __init__(self, model: Any, axes: int) -> None:
        """`axes` is how many positions a token has, one for each direction it lies in."""
        self._decoder, self._head = model.get_decoder(), model.get_output_embeddings()
        self._embed = model.get_input_embeddings()
        self._axes = axes

    def __call__(
        self,
        input_ids: Any,
        position_ids: Any,
        logits_to_keep: Any = 0,
        use_cache: bool = False,
        given: Sequence[Part] = (),
    ) -> Found:
        """Logits (1, tokens kept, vocabulary) for tokens (1, tokens) at positions (1, tokens) or (axes, 1,
        tokens)."""
        embeds = placed(self._embed(input_ids)[0], given)[None]
        more = stacked(embeds.shape[1], given)
        if self._axes > 1:
            position_ids = position_ids.expand(self._axes, 1, -1)
        config = self._decoder.config
        before, config._attn_implementation = config._attn_implementation, NAME
        try:
            found = self._decoder(
                inputs_embeds=embeds, position_ids=position_ids, use_cache=use_cache, **more
            )
        finally:
            config._attn_implementation = before
        return Found(self._head(found.last_hidden_state[:, rows_kept(logits_to_keep)]))
