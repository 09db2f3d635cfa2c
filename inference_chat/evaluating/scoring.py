"""How right answers are: the measures of each task, over pairs of what is right and what was answered.

Word errors and ROUGE-L are edit distances of words by `rapidfuzz`, BLEU and chrF are `sacrebleu`'s, mean
average precision is `supervision`'s (COCO's). All are told as shares; of WER and CER less is better.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from rapidfuzz.distance import Indel, Levenshtein

from ..tasks import Task
from .labelled import Truth
from .regions import Counts, overlaps
from .regions import scores as region_scores

Scores = dict[str, float]


class Pair(NamedTuple):
    """What is right, and what was answered: a label or text, objects with boxes (and scores), regions."""

    truth: Truth
    answer: Truth | Counts


CLASSES = ("accuracy", "f1")
ANSWERS = ("exact_match", "contains", "f1_words", "rouge_l", "bleu")
SURPRISE = "perplexity"
"""How many tokens a model hesitates between at each of the right answer's, which it only reads."""
REGIONS = ("mean_iou", "pixels")
OBJECTS = ("map50", "map", "f1_objects")
MEASURES: Mapping[Task, Sequence[str]] = {
    Task.TEXT_CLASSIFICATION: CLASSES,
    Task.IMAGE_CLASSIFICATION: CLASSES,
    Task.ZERO_SHOT_IMAGE_CLASSIFICATION: CLASSES,
    Task.VIDEO_CLASSIFICATION: CLASSES,
    Task.AUDIO_CLASSIFICATION: CLASSES,
    Task.ZERO_SHOT_AUDIO_CLASSIFICATION: CLASSES,
    Task.OBJECT_DETECTION: OBJECTS,
    Task.ZERO_SHOT_OBJECT_DETECTION: OBJECTS,
    Task.IMAGE_SEGMENTATION: REGIONS,
    Task.TEXT_GENERATION: (*ANSWERS, SURPRISE),
    Task.VISUAL_QUESTION_ANSWERING: ANSWERS,
    Task.IMAGE_TEXT_TO_TEXT: ANSWERS,
    Task.VIDEO_TEXT_TO_TEXT: ANSWERS,
    Task.IMAGE_TO_TEXT: ("rouge_l", "bleu", "chrf", "exact_match", "f1_words"),
    Task.SUMMARIZATION: ("rouge_l", "bleu", "chrf"),
    Task.TRANSLATION: ("bleu", "chrf", "exact_match"),
    Task.AUTOMATIC_SPEECH_RECOGNITION: ("wer", "cer", "exact_match"),
}
"""The measures of each task that can be evaluated, its main one first."""
ERRORS = frozenset({"wer", "cer"})
"""Measures of which less is better."""
NAMES = {
    "accuracy": "accuracy",
    "f1": "F1, mean of labels",
    "exact_match": "exact match",
    "contains": "contains the answer",
    "f1_words": "F1 of words",
    "rouge_l": "ROUGE-L",
    "bleu": "BLEU",
    "chrf": "chrF",
    "wer": "word error rate",
    "cer": "character error rate",
    SURPRISE: "perplexity",
    "map50": "mAP at IoU 0.5",
    "map": "mAP at IoU 0.5–0.95",
    "f1_objects": "F1 at IoU 0.5",
    "mean_iou": "mean IoU of labels",
    "pixels": "pixels right",
}
SURE = 0.5  # objects less sure than this do not count for F1


def scored(task: Task, pairs: Sequence[Pair]) -> Scores:
    """Every measure of `task` over `pairs` that compares answers; empty without pairs."""
    if not pairs:
        return {}
    if task in (Task.OBJECT_DETECTION, Task.ZERO_SHOT_OBJECT_DETECTION):
        return _objects(pairs)
    if task == Task.IMAGE_SEGMENTATION:
        return region_scores([_counts(pair) for pair in pairs])
    told = [(str(pair.truth), str(pair.answer)) for pair in pairs]
    return {name: round(TEXTUAL[name](told), 6) for name in MEASURES[task] if name != SURPRISE}


def perplexity(told: Sequence[tuple[float, int]]) -> Scores:
    """Of the natural log-probabilities of right answers, with their numbers of tokens; empty without any."""
    tokens = sum(count for _, count in told)
    return {SURPRISE: round(math.exp(-sum(logprob for logprob, _ in told) / tokens), 4)} if tokens else {}


def goodness(measure: str, value: float) -> float:
    """A measure as a share of which more is better: of word errors, the words that are right.

    Of a perplexity it is the (geometric) mean probability of a right token.
    """
    if measure == SURPRISE:
        return 1.0 / value
    return max(0.0, 1.0 - value) if measure in ERRORS else value


def right(task: Task, pair: Pair) -> bool:
    """Whether an answer is wholly right; of objects, all of them and nothing else, at an IoU of 0.5.

    Of regions, every one that is there, at an IoU of 0.5.
    """
    if task == Task.IMAGE_SEGMENTATION:
        return all(share >= 0.5 for share in overlaps([_counts(pair)]).values())
    if isinstance(pair.truth, list) or isinstance(pair.answer, list):
        matched, found, there = _matched(pair)
        return matched == found == there
    return plain(str(pair.truth)) == plain(str(pair.answer))


def _counts(pair: Pair) -> Counts:
    return pair.answer if isinstance(pair.answer, dict) else {}


def plain(text: str) -> str:
    """A text without case, punctuation, articles and doubled spaces, as SQuAD compares answers."""
    kept = text.casefold().replace("_", " ").translate(_WITHOUT)
    return " ".join(word for word in kept.split() if word not in ("a", "an", "the"))


_WITHOUT = str.maketrans("", "", string.punctuation)
Told = Sequence[tuple[str, str]]


def _accuracy(told: Told) -> float:
    return fmean(plain(truth) == plain(answer) for truth, answer in told)


def _macro_f1(told: Told) -> float:
    """The mean over all labels that are right or were answered."""
    told = [(plain(truth), plain(answer)) for truth, answer in told]
    hits = Counter(truth for truth, answer in told if truth == answer)
    both = Counter(truth for truth, _ in told) + Counter(answer for _, answer in told)
    return fmean(2 * hits[label] / both[label] for label in both)


def _contains(told: Told) -> float:
    return fmean(f" {plain(truth)} " in f" {plain(answer)} " for truth, answer in told)


def _words_f1(told: Told) -> float:
    """F1 of the words of each answer (Rajpurkar et al. 2016, arXiv:1606.05250)."""
    return fmean(_shared(plain(truth).split(), plain(answer).split()) for truth, answer in told)


def _shared(truth: Sequence[str], answer: Sequence[str]) -> float:
    if not truth or not answer:
        return float(truth == answer)
    common = sum((Counter(truth) & Counter(answer)).values())
    return 2 * common / (len(truth) + len(answer))


def _rouge_l(told: Told) -> float:
    """F1 by the longest common subsequence of words (Lin 2004), which is what `Indel` is one less of."""
    return fmean(
        Indel.normalized_similarity(_rouge(truth), _rouge(answer)) if truth and answer else 0.0
        for truth, answer in told
    )


def _rouge(text: str) -> list[str]:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).split()


def _bleu(told: Told) -> float:
    from sacrebleu import corpus_bleu

    answers, truths = [answer for _, answer in told], [truth for truth, _ in told]
    return float(corpus_bleu(answers, [truths], force=True).score) / 100


def _chrf(told: Told) -> float:
    from sacrebleu import corpus_chrf

    answers, truths = [answer for _, answer in told], [truth for truth, _ in told]
    return float(corpus_chrf(answers, [truths]).score) / 100


def _word_errors(told: Told) -> float:
    return _edits([(_spoken(truth).split(), _spoken(answer).split()) for truth, answer in told])


def _letter_errors(told: Told) -> float:
    return _edits([(_spoken(truth), _spoken(answer)) for truth, answer in told])


def _edits(told: Sequence[tuple[Sequence[str], Sequence[str]]]) -> float:
    """Insertions, deletions and substitutions for each unit that is right, over all pairs together."""
    whole = sum(len(truth) for truth, _ in told)
    return sum(Levenshtein.distance(truth, answer) for truth, answer in told) / max(1, whole)


def _spoken(text: str) -> str:
    """Without case and punctuation, which nobody hears."""
    return " ".join(text.casefold().replace("-", " ").translate(_WITHOUT).split())


TEXTUAL: Mapping[str, Callable[[Told], float]] = {
    "accuracy": _accuracy,
    "f1": _macro_f1,
    "exact_match": _accuracy,
    "contains": _contains,
    "f1_words": _words_f1,
    "rouge_l": _rouge_l,
    "bleu": _bleu,
    "chrf": _chrf,
    "wer": _word_errors,
    "cer": _letter_errors,
}


# --- objects --------------------------------------------------------------------------------------


def _objects(pairs: Sequence[Pair]) -> Scores:
    from supervision.metrics import MeanAveragePrecision

    labels = {plain(one["label"]) for pair in pairs for side in pair for one in side if isinstance(one, dict)}
    numbers = {label: number for number, label in enumerate(sorted(labels))}
    precision: Any = MeanAveragePrecision()
    precision.update(
        [_detections(pair.answer, numbers) for pair in pairs],
        [_detections(pair.truth, numbers) for pair in pairs],
    )
    found = precision.compute()
    matched, answered, there = (sum(column) for column in zip(*map(_matched, pairs), strict=True))
    return {
        "map50": round(max(0.0, float(found.map50)), 6),
        "map": round(max(0.0, float(found.map50_95)), 6),
        "f1_objects": round(2 * matched / (answered + there), 6) if answered + there else 1.0,
    }


def _detections(objects: Truth | Counts, numbers: Mapping[str, int]) -> Any:
    import numpy as np
    from supervision import Detections

    given: list[dict[str, Any]] = objects if isinstance(objects, list) else []
    if not given:
        return Detections.empty()
    return Detections(
        xyxy=np.array([_corners(one) for one in given], dtype=np.float64),
        class_id=np.array([numbers[plain(one["label"])] for one in given]),
        confidence=np.array([one.get("score", 1.0) for one in given], dtype=np.float64),
    )


def _matched(pair: Pair) -> tuple[int, int, int]:
    """How many objects are right, were answered, and are there: the surest answer takes its match first."""
    there = [one for one in pair.truth if isinstance(one, dict)]
    answered = [one for one in pair.answer if isinstance(one, dict) and one.get("score", 1.0) >= SURE]
    left, hits = list(there), 0
    for one in sorted(answered, key=lambda one: -one.get("score", 1.0)):
        same = [other for other in left if plain(other["label"]) == plain(one["label"])]
        best = max(same, key=lambda other: overlap(one, other), default=None)
        if best is not None and overlap(one, best) >= 0.5:
            left.remove(best)
            hits += 1
    return hits, len(answered), len(there)


def overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Intersection over union of two objects' boxes."""
    a, b = _corners(one), _corners(other)
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - wide * high
    return wide * high / both if both > 0 else 0.0


def _corners(one: Mapping[str, Any]) -> tuple[float, float, float, float]:
    box = one["box"]
    return box["xmin"], box["ymin"], box["xmax"], box["ymax"]
