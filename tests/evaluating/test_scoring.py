import pytest

from inference_chat.evaluating.scoring import ERRORS, MEASURES, NAMES, TEXTUAL, Pair, goodness, right, scored
from inference_chat.tasks import Task


def box(label: str, xmin: float, size: float = 10, score: float = 1.0):
    sides = {"xmin": xmin, "ymin": 0, "xmax": xmin + size, "ymax": size}
    return {"label": label, "score": score, "box": sides}


def test_every_measure_has_a_name_and_a_way():
    named = {name for names in MEASURES.values() for name in names}
    assert named <= NAMES.keys()
    assert named - TEXTUAL.keys() == {"map50", "map", "f1_objects", "mean_iou", "pixels", "perplexity"}
    assert named >= ERRORS


def test_labels_are_compared_without_case_and_underscores():
    pairs = [Pair("red circle", "Red_Circle"), Pair("cat", "dog"), Pair("dog", "dog"), Pair("dog", "cat")]
    found = scored(Task.IMAGE_CLASSIFICATION, pairs)
    assert found["accuracy"] == 0.5
    # red circle 1; cat 0 of 2; dog 2 of 4: sklearn's macro F1
    assert found["f1"] == pytest.approx((1 + 0 + 0.5) / 3, abs=1e-6)


def test_answers_are_measured_by_words_and_order():
    found = scored(Task.TEXT_GENERATION, [Pair("the cat sat on the mat", "a cat on the mat sat")])
    assert (found["exact_match"], found["contains"]) == (0, 0)
    assert found["f1_words"] == 1
    assert found["rouge_l"] == pytest.approx(2 * 4 / 12, abs=1e-6)
    assert scored(Task.TEXT_GENERATION, [Pair("Paris", "It is Paris.")])["contains"] == 1


def test_word_errors_are_over_all_words_together():
    found = scored(
        Task.AUTOMATIC_SPEECH_RECOGNITION, [Pair("One two, three!", "one three four"), Pair("yes", "Yes.")]
    )
    assert found["wer"] == pytest.approx(2 / 4)
    assert goodness("wer", 1.5) == 0
    assert goodness("wer", 0.25) == 0.75


def test_bleu_and_chrf_are_sacrebleus():
    found = scored(Task.TRANSLATION, [Pair("The dog bit the man.", "The dog bit the man.")])
    assert found["bleu"] == found["chrf"] == pytest.approx(1)


def test_objects_count_where_label_and_place_are_right():
    pairs = [
        Pair([box("cat", 0), box("dog", 50)], [box("Cat", 1, score=0.9), box("dog", 80, score=0.8)]),
        Pair([], []),
        Pair([box("cat", 0)], [box("cat", 0, score=0.7), box("cat", 1, score=0.6)]),
    ]
    found = scored(Task.OBJECT_DETECTION, pairs)
    assert found["f1_objects"] == pytest.approx(2 * 2 / (4 + 3), abs=1e-6)
    assert found["map50"] == pytest.approx(0.5, abs=0.01)
    assert 0 < found["map"] < found["map50"]
    assert [right(Task.OBJECT_DETECTION, pair) for pair in pairs] == [False, True, False]
