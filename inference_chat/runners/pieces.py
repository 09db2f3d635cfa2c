"""How a tokenizer splits a text: its tokens, each with the stretch of the text that it stands for."""

from typing import Any

from ..schema import Frozen


class Piece(Frozen):
    """A token: its number, the characters from `start` to `end`, and whether it is no text but a mark.

    Several tokens may share a character that takes several bytes. Both ends are None where the tokenizer
    does not tell them; `text` is then the token alone, decoded.
    """

    id: int
    token: str
    text: str
    start: int | None = None
    end: int | None = None
    special: bool = False


def pieces(tokenizer: Any, text: str) -> tuple[Piece, ...]:
    """All tokens of `text`, with the special ones that the tokenizer puts around it."""
    fast = bool(getattr(tokenizer, "is_fast", False))
    read = tokenizer(text, return_offsets_mapping=True) if fast else tokenizer(text)
    ids = [int(one) for one in read["input_ids"]]
    spans = [(int(a), int(b)) for a, b in read["offset_mapping"]] if fast else [None] * len(ids)
    names = [str(one) for one in tokenizer.convert_ids_to_tokens(ids)]
    marks = set(tokenizer.all_special_ids)
    return tuple(
        Piece(id=id, token=name, text=tokenizer.decode([id]))
        if span is None
        else Piece(
            id=id,
            token=name,
            text=text[slice(*span)],
            start=span[0],
            end=span[1],
            special=span[0] == span[1] or (id in marks and text[slice(*span)] != name),
        )
        for id, name, span in zip(ids, names, spans, strict=True)
    )
