"""How much two models agree on the same input, in the way of what they answer with.

Every comparison of two outputs has `kind`, `agreement` (0 to 1; None where there is no scale) and `say`, a
sentence. What else it has depends on the kind: pieces of text, pairs of boxes, classes that changed.
"""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel, Levenshtein

from ..media import open_image
from ..outputs import Output
from ..schema import JSON
from ..tasks import Task

Array = NDArray[Any]
MOST_WORDS = 10_000  # longer texts are compared without their pieces: the table behind takes 12 MB for these
SAME_PLACE = 0.5  # intersection over union from which two boxes are the same object, as in PASCAL VOC
SAME_MOMENT = 0.5  # seconds
CHARACTERS = "\u3040-\u30ff\u3400-\u9fff"  # written without spaces: each is a word
WORDS = re.compile(rf"[{CHARACTERS}]\s*|[^\W{CHARACTERS}]+(?:['’-][^\W{CHARACTERS}]+)*\s*|[^\w\s]\s*|^\s+")
FACES = "The outputs stand side by side; there is no measure of how much they agree."


def agreement(task: Task, one: Output, other: Output) -> JSON:
    """Compare two outputs of a task, each as `outputs.output_of` gives it."""
    return KINDS.get(task, _by_shape)(one, other)


def of_batch(task: Task, ones: Sequence[Output], others: Sequence[Output]) -> JSON:
    """The same for several media: each by itself, and their mean."""
    each = [agreement(task, one, other) for one, other in zip(ones, others, strict=True)]
    if len(each) == 1:
        return each[0]
    known = [one["agreement"] for one in each if one["agreement"] is not None]
    mean = sum(known) / len(known) if known else None
    say = f"{len(each)} inputs" + (f", agreement {mean:.0%} on average." if mean is not None else ".")
    return {"kind": "batch", "agreement": mean, "say": say, "each": each}


# --- text ---------------------------------------------------------------------------------------


def words(one: Output, other: Output) -> JSON:
    """What two texts share, word by word, by their longest common subsequence.

    `pieces` are `[op, text]` with op `same`, `removed` (only the first has it) or `added`.
    """
    left, right = (WORDS.findall(_text(output)) for output in (one, other))
    a, b = ([word.strip() for word in text] for text in (left, right))
    alike = Indel.normalized_similarity(a, b)
    told: JSON = {
        "kind": "words",
        "agreement": round(alike, 4),
        "say": "The same text." if a == b else f"{alike:.0%} of the words are the same, in the same order.",
    }
    if max(len(a), len(b)) <= MOST_WORDS:
        told["pieces"] = list(_pieces(left, right, a, b))
    return told


def transcript(one: Output, other: Output) -> JSON:
    """Two transcripts: the words, and the word error rate of the second if the first were right.

    Case and punctuation do not count for the rate.
    """
    a, b = (re.findall(r"\w+(?:['’]\w+)*", _text(output).lower()) for output in (one, other))
    rate = Levenshtein.distance(a, b) / max(1, len(a))
    say = f"{Levenshtein.distance(a, b)} of {len(a)} words differ (word error rate {rate:.0%})."
    return words(one, other) | {"kind": "transcript", "word_error_rate": round(rate, 4), "say": say}


def _pieces(left: list[str], right: list[str], a: list[str], b: list[str]) -> Iterator[list[str]]:
    for step in Indel.opcodes(a, b):
        if step.tag == "equal":
            yield ["same", "".join(right[step.dest_start : step.dest_end])]
        if step.tag == "delete":
            yield ["removed", "".join(left[step.src_start : step.src_end])]
        if step.tag == "insert":
            yield ["added", "".join(right[step.dest_start : step.dest_end])]


def _text(output: Output) -> str:
    return str(output.get("text", "")) if isinstance(output, dict) else ""


# --- classes, boxes, masks ----------------------------------------------------------------------


def classes(one: Output, other: Output) -> JSON:
    """Two lists of classes: whether the likeliest is the same, and the overlap of the scores."""
    a, b = (
        {item["label"]: float(item.get("score") or 0.0) for item in _labels(output)}
        for output in (one, other)
    )
    if not a or not b:
        return {"kind": "classes", "agreement": 0.0, "say": "One of them names no class.", "changes": []}
    shared = sum(min(a.get(label, 0.0), b.get(label, 0.0)) for label in a)
    overlap = shared / max(sum(a.values()), sum(b.values()), 1e-9)
    tops = [max(scores, key=lambda label: scores[label]) for scores in (a, b)]
    same = tops[0] == tops[1]
    changed = sorted({*a, *b}, key=lambda label: -abs(a.get(label, 0.0) - b.get(label, 0.0)))[:5]
    verdict = f"Both say {tops[0]}" if same else f"{tops[0]} or {tops[1]}"
    return {
        "kind": "classes",
        "agreement": round(overlap, 4),
        "same_top": same,
        "say": f"{verdict}; their scores overlap by {overlap:.0%}.",
        "changes": [{"label": label, "scores": [a.get(label), b.get(label)]} for label in changed],
    }


def boxes(one: Output, other: Output) -> JSON:
    """Two lists of boxes, matched one to one, the best overlap first, from an IoU of 0.5 on.

    `agreement` is the Dice share of boxes that have a partner of the same label; `pairs` are
    `[index, index, IoU]`. (PASCAL VOC, Everingham et al. 2010, https://doi.org/10.1007/s11263-009-0275-4)
    """
    a, b = _labels(one), _labels(other)
    pairs = matched(_corners(a), _corners(b))
    alike = sum(a[i]["label"] == b[j]["label"] for i, j, _ in pairs)
    mean = sum(iou for *_, iou in pairs) / len(pairs) if pairs else None
    share = 2 * alike / (len(a) + len(b)) if a or b else 1.0
    say = f"{len(pairs)} objects are at the same place" if a or b else "Neither finds anything."
    if mean is not None:
        say += f" (mean IoU {mean:.2f}), {alike} of them with the same label"
    only = [(len(a) - len(pairs), "the first"), (len(b) - len(pairs), "the second")]
    if alone := [f"{count} only by {who}" for count, who in only if count]:
        say += f"; {', '.join(alone)}"
    return {
        "kind": "boxes",
        "agreement": round(share, 4),
        "mean_iou": round(mean, 4) if mean is not None else None,
        "same_labels": alike,
        "pairs": [[i, j, round(iou, 4)] for i, j, iou in pairs],
        "say": say.rstrip(".") + ".",
    }


def matched(a: Array, b: Array, least: float = SAME_PLACE) -> list[tuple[int, int, float]]:
    """Rows of two (n, 4) arrays of corners that overlap, one to one: index, index, IoU."""
    if not len(a) or not len(b):
        return []
    overlap = _iou(a, b)
    found = []
    while overlap.size and (best := float(overlap.max())) >= least:
        i, j = (int(at) for at in np.unravel_index(overlap.argmax(), overlap.shape))
        overlap[i, :] = overlap[:, j] = -1.0
        found.append((i, j, best))
    return found


def _iou(a: Array, b: Array) -> Array:
    """Intersection over union of each row of `a` with each of `b`: (n, 4), (m, 4) → (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.clip(high - low, 0, None).prod(-1)
    area = [(corners[:, 2:] - corners[:, :2]).clip(0).prod(-1) for corners in (a, b)]
    overlap: Array = inner / np.maximum(area[0][:, None] + area[1][None, :] - inner, 1e-9)
    return overlap


def _corners(items: Sequence[JSON]) -> Array:
    sides = ("xmin", "ymin", "xmax", "ymax")
    return np.array([[item["box"][side] for side in sides] for item in items], float).reshape(-1, 4)


def masks(one: Output, other: Output) -> JSON:
    """Two segmentations: for each label the IoU of all its regions together."""
    a, b = _regions(_labels(one)), _regions(_labels(other))
    each = {}
    for label in sorted({*a, *b}):
        if label not in a or label not in b or a[label].shape != b[label].shape:
            each[label] = 0.0
            continue
        union = int((a[label] | b[label]).sum())
        each[label] = int((a[label] & b[label]).sum()) / union if union else 1.0
    mean = sum(each.values()) / len(each) if each else 1.0
    listed = ", ".join(f"{label} {iou:.0%}" for label, iou in list(each.items())[:6])
    return {
        "kind": "masks",
        "agreement": round(mean, 4),
        "labels": {label: round(iou, 4) for label, iou in each.items()},
        "say": f"Regions overlap by {mean:.0%} on average: {listed}." if each else "Neither finds anything.",
    }


def _regions(items: Sequence[JSON]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for item in items:
        mask = _pixels(item["mask"])[..., 0] > 127
        known = found.get(item["label"])
        found[item["label"]] = mask if known is None or known.shape != mask.shape else known | mask
    return found


def _labels(output: Output) -> list[JSON]:
    if isinstance(output, dict):
        output = output.get("labels", [])
    return [item for item in output if isinstance(item, dict) and "label" in item]


# --- pictures, clips ----------------------------------------------------------------------------


def depths(one: Output, other: Output) -> JSON:
    """Two maps of depths: the correlation of their pixels, since models measure on scales of their own."""
    a, b = (_pixels(output["depth"])[..., 0] for output in (one, other) if isinstance(output, dict))
    alike = _correlation(a, b)
    say = f"The maps correlate by {alike:.2f} (1: the same order of near and far)."
    return {
        "kind": "depth",
        "agreement": round(max(0.0, alike), 4),
        "correlation": round(alike, 4),
        "say": say,
    }


def pictures(one: Output, other: Output) -> JSON:
    """Two lists of pictures: how far their pixels are apart, from 0 (the same) to 1 (black and white)."""
    made = [output.get("images", []) for output in (one, other) if isinstance(output, dict)]
    if not all(made):
        return {"kind": "pictures", "agreement": None, "say": "One of them has no picture."}
    a, b = (_pixels(images[0]).astype(float) for images in made)
    if a.shape != b.shape:
        say = f"{a.shape[1]} × {a.shape[0]} and {b.shape[1]} × {b.shape[0]} pixels. {FACES}"
        return {"kind": "pictures", "agreement": None, "say": say}
    apart = float(np.abs(a - b).mean()) / 255
    say = "The same picture." if apart == 0 else f"Their pixels differ by {apart:.1%} on average."
    return {"kind": "pictures", "agreement": round(1 - apart, 4), "difference": round(apart, 4), "say": say}


def tracks(one: Output, other: Output) -> JSON:
    """Two lists of tracks: how many objects each counts, and their boxes, frame by frame."""
    counts = [_counted(output) for output in (one, other)]
    a, b = (_frames(output) for output in (one, other))
    found = [boxes(a.get(frame, []), b.get(frame, [])) for frame in sorted({*a, *b})]
    share = sum(one["agreement"] for one in found) / len(found) if found else 1.0
    ious = [iou for one in found for *_, iou in one["pairs"]]
    mean = sum(ious) / len(ious) if ious else None
    told = " and ".join(", ".join(f"{n} {label}" for label, n in count.items()) or "none" for count in counts)
    say = f"Objects: {told}. Boxes agree by {share:.0%}" + (f", mean IoU {mean:.2f}." if mean else ".")
    return {
        "kind": "tracks",
        "agreement": round(share, 4),
        "mean_iou": round(mean, 4) if mean is not None else None,
        "counts": [dict(count) for count in counts],
        "say": say,
    }


def _counted(output: Output) -> Counter[str]:
    return Counter(
        str(track["label"]) for track in (output if isinstance(output, dict) else {}).get("tracks", [])
    )


def _frames(output: Output) -> dict[int, list[JSON]]:
    found: dict[int, list[JSON]] = {}
    for track in output.get("tracks", []) if isinstance(output, dict) else []:
        for place in track["frames"]:
            found.setdefault(place["frame"], []).append({"label": track["label"], "box": place["box"]})
    return found


def scenes(one: Output, other: Output) -> JSON:
    """Two lists of scenes: which of their beginnings are the same, within half a second (F1)."""
    a, b = ([scene["start_s"] for scene in _scenes(output)] for output in (one, other))
    left, shared = list(b), 0
    for moment in a:
        near = min(left, key=lambda other: abs(other - moment), default=None)
        if near is not None and abs(near - moment) <= SAME_MOMENT:
            left.remove(near)
            shared += 1
    share = 2 * shared / (len(a) + len(b)) if a or b else 1.0
    say = f"{len(a)} and {len(b)} scenes; {shared} of them begin at the same moment."
    return {"kind": "scenes", "agreement": round(share, 4), "say": say}


def _scenes(output: Output) -> list[JSON]:
    return output.get("scenes", []) if isinstance(output, dict) else []


def vectors(one: Output, other: Output) -> JSON:
    """Two embeddings: only their sizes can be compared, for each model has a space of its own."""
    sizes = [len(output.get("embedding", [])) if isinstance(output, dict) else 0 for output in (one, other)]
    say = f"{sizes[0]} and {sizes[1]} numbers; each model has a space of its own, so they do not compare."
    return {"kind": "vectors", "agreement": None, "sizes": sizes, "say": say}


def _pixels(url: str) -> Array:
    """The pixels of a `data:` URL's picture: (height, width, 3), from 0 to 255."""
    return np.asarray(open_image(base64.b64decode(url.partition(",")[2])))


def _correlation(a: Array, b: Array) -> float:
    if a.shape != b.shape or not a.std() or not b.std():
        return float(np.array_equal(a, b))
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


# --- which is which -----------------------------------------------------------------------------


def _by_shape(one: Output, other: Output) -> JSON:
    if any(isinstance(output, dict) and "text" in output for output in (one, other)):
        return words(one, other)
    return {"kind": "other", "agreement": None, "say": FACES}


KINDS: dict[Task, Callable[[Output, Output], JSON]] = {
    Task.TEXT_CLASSIFICATION: classes,
    Task.IMAGE_CLASSIFICATION: classes,
    Task.ZERO_SHOT_IMAGE_CLASSIFICATION: classes,
    Task.AUDIO_CLASSIFICATION: classes,
    Task.ZERO_SHOT_AUDIO_CLASSIFICATION: classes,
    Task.VIDEO_CLASSIFICATION: classes,
    Task.OBJECT_DETECTION: boxes,
    Task.ZERO_SHOT_OBJECT_DETECTION: boxes,
    Task.IMAGE_SEGMENTATION: masks,
    Task.MASK_GENERATION: masks,
    Task.DEPTH_ESTIMATION: depths,
    Task.TEXT_TO_IMAGE: pictures,
    Task.IMAGE_TO_IMAGE: pictures,
    Task.OBJECT_TRACKING: tracks,
    Task.SCENE_DETECTION: scenes,
    Task.AUTOMATIC_SPEECH_RECOGNITION: transcript,
    Task.FEATURE_EXTRACTION: vectors,
    Task.IMAGE_FEATURE_EXTRACTION: vectors,
    Task.AUDIO_FEATURE_EXTRACTION: vectors,
}
"""Tasks that are not here answer with text, or with something to look at or listen to."""
