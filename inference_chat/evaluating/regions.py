"""How right regions are: pixels that are right, that were answered and that are there, label by label.

An answer is counted as soon as it is there, so that no mask has to be kept. Over a set the counts are summed
up before they are divided, as the mean IoU of PASCAL VOC and Cityscapes is.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidRequest
from ..media import open_image, open_map

Bits = NDArray[np.bool_]
Counts = dict[str, list[int]]
"""For each label: pixels of both, answered, there."""


def counted(
    truth: Sequence[Mapping[str, Any]],
    answer: Sequence[Mapping[str, Any]],
    read: Callable[[str], bytes],
    name: Callable[[str], str],
) -> Counts:
    """Compare regions with the right ones; `read` gives the bytes of a file, `name` what labels are kept by.

    Pixels of a map that no label is named for do not count. Raises `InvalidRequest` when sizes differ.
    """
    there, counts = _there(truth, read, name)
    found: dict[str, Bits] = {}
    for item in answer:
        label, bits = name(item["label"]), _bits(base64.b64decode(item["mask"].partition(",")[2]))
        found[label] = found[label] | bits if label in found else bits
    sizes = {bits.shape for bits in (*there.values(), *found.values())}
    if len(sizes) > 1:
        told = " and ".join(f"{wide} × {high}" for high, wide in sorted(sizes))
        raise InvalidRequest(f"its mask and its picture differ in size ({told} pixels)")
    nothing = np.zeros(next(iter(sizes), (0, 0)), bool)
    pairs = {label: (there.get(label, nothing), found.get(label, nothing)) for label in {*there, *found}}
    return {
        label: [int((one & other).sum()), int((other & counts).sum()), int(one.sum())]
        for label, (one, other) in sorted(pairs.items())
    }


def overlaps(answers: Sequence[Counts]) -> dict[str, float]:
    """Intersection over union of every label that is there, over all answers together."""
    total: dict[str, list[int]] = {}
    for answer in answers:
        for label, counts in answer.items():
            total[label] = [one + more for one, more in zip(total.get(label, [0, 0, 0]), counts, strict=True)]
    return {
        label: both / (said + there - both) for label, (both, said, there) in sorted(total.items()) if there
    }


def scores(answers: Sequence[Counts]) -> dict[str, float]:
    """The mean IoU of the labels, and the share of pixels that are right."""
    each = overlaps(answers)
    both, there = (sum(counts[at] for one in answers for counts in one.values()) for at in (0, 2))
    return {
        "mean_iou": round(sum(each.values()) / len(each), 6) if each else 0.0,
        "pixels": round(both / there, 6) if there else 0.0,
    }


def _there(
    truth: Sequence[Mapping[str, Any]], read: Callable[[str], bytes], name: Callable[[str], str]
) -> tuple[dict[str, Bits], Any]:
    """The right regions, and which pixels count: all, or those of a map that have a name."""
    maps = {one["mask"]: open_map(read(one["mask"])) for one in truth if "value" in one}
    found: dict[str, Bits] = {}
    for one in truth:
        bits = maps[one["mask"]] == one["value"] if "value" in one else _bits(read(one["mask"]))
        if bits.any():
            label = name(one["label"])
            found[label] = found[label] | bits if label in found else bits
    if not maps:
        return found, True
    return found, np.logical_or.reduce([*found.values()]) if found else False


def _bits(data: bytes) -> Bits:
    """A mask (height, width) from a picture: what is lighter than grey."""
    bits: Bits = np.asarray(open_image(data))[..., 0] > 127
    return bits
