"""Whether a model with labels of its own knows the things that a wish names: not all detectors know cats."""

import re
from collections.abc import Sequence

from ..tasks import Task

LABELLED = (
    Task.IMAGE_CLASSIFICATION,
    Task.OBJECT_DETECTION,
    Task.IMAGE_SEGMENTATION,
    Task.OBJECT_TRACKING,
    Task.VIDEO_CLASSIFICATION,
    Task.AUDIO_CLASSIFICATION,
)
"""Tasks whose models know a list of things and nothing else."""
UNNAMED = re.compile(r"label_?\d+", re.IGNORECASE)
ODD = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "mice": "mouse",
    "geese": "goose",
}
ASKING = re.compile(
    r"count|find|detect|locate|mark|track|follow|classify|label|picture|photo|image|camera|video|clip|sound|audio"
    r"|what|which|where|when|many|much|with|from|that|this|them|want|need|have|make|more|less|under|line|other"
)
"""Words of a wish that name no thing to look for, though some lists have such a label."""
TOLD = 3


def named(wish: str, labels: Sequence[str]) -> list[str]:
    """The labels that a wish names, in their order: "cat" and "tabby cat" by "my cats"."""
    words = {word for said in re.findall(r"[a-z]{3,}", wish.casefold()) for word in _forms(said)}
    wanted = {word for word in words if not ASKING.fullmatch(word)}
    return [label for label in labels if any(_means(part, wanted) for part in label.casefold().split(","))]


def usable(labels: Sequence[str]) -> list[str]:
    """Labels that people gave; without those that only count, as `LABEL_0`."""
    return [label for label in labels if not UNNAMED.fullmatch(label)]


def reason(labels: Sequence[str], found: Sequence[str]) -> str:
    """A sentence on what a model knows of a wish."""
    if found:
        more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
        return f"knows “{'”, “'.join(label.split(',')[0] for label in found[:TOLD])}”{more}"
    examples = ", ".join(label.split(",")[0] for label in labels[:TOLD])
    return f"knows {len(labels):,} labels ({examples}, …), and your words name none of them"


def _means(label: str, wanted: set[str]) -> bool:
    """Whether a wish has the last word of a label, which says what it is."""
    words = re.findall(r"[a-z]+", label)
    return bool(words) and not wanted.isdisjoint(_forms(words[-1]))


def _forms(word: str) -> set[str]:
    """A noun as it stands, and what it may be the plural of."""
    if word in ODD:
        return {word, ODD[word]}
    forms = {word}
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        forms.add(word[:-1])
        if word.endswith("es"):
            forms |= {word[:-2], word[:-3] + "y"}
    return forms
