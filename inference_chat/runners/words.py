"""Labels as people give them: a list, or one text with commas."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from ..errors import InvalidRequest

MOST = 1000


def split(value: object) -> object:
    """`cat, dog` as `("cat", "dog")`; each once, none empty."""
    if value is None:
        return ()
    parts = value.replace("\n", ",").split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    stripped = (part.strip() if isinstance(part, str) else part for part in parts)
    return tuple(dict.fromkeys(part for part in stripped if part != ""))


Words = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=200)], ...],
    BeforeValidator(split),
    Field(max_length=MOST),
]
"""Words for what is to be looked for."""


def wanted(labels: tuple[str, ...]) -> tuple[str, ...]:
    """`labels`, of which there must be one at least."""
    if not labels:
        raise InvalidRequest('labels: say what to look for, as ["a cat", "a dog"] or `a cat, a dog`.')
    return labels
