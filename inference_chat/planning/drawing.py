"""Wishes for a picture, told by their words: "Draw me a red circle.", "Make a picture of two dogs"."""

import re

ASKING = r"(?:(?:please|now|then|ok|okay|hey|can you|could you|would you|will you|i want you to),? )*"
PICTURE = r"(?:picture|image|drawing|painting|sketch|photo|illustration)"
OF = rf"an? {PICTURE} (?:of|with|showing) "
WISH = re.compile(
    rf"{ASKING}(?:(?:draw|paint|sketch) (?:me |us )?(?:{OF})?|(?:make|create|generate) (?:me |us )?{OF})"
    r"(?P<wish>\w.*?)(?:,? please)?[\s.!?]*",
    re.IGNORECASE,
)
NOTHING_SEEN = re.compile(
    r"(?:an?|the|some|any|my|your)? ?"
    r"(?:conclusions?|comparisons?|parallels?|attention|distinctions?|inferences?|lessons?|lines? between)\b",
    re.IGNORECASE,
)
"""What is drawn in words."""


def wished(text: str) -> str | None:
    """What a message wants to see drawn; None where it wants something else."""
    found = WISH.fullmatch(" ".join(text.split()))
    if found is None or NOTHING_SEEN.match(found["wish"]):
        return None
    return found["wish"]
