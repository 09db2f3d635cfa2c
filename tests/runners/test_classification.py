"""Classes of pictures are those that transformers itself gives."""

from typing import Any

import pytest

from inference_chat.errors import InvalidRequest
from inference_chat.events import Vector
from inference_chat.runners.embedding import EmbeddingOptions
from tests import tiny_vision
from tests.tiny_vision import scene

from .models import real
from .pictures import ask, folder, labels, load, opened


def logits(architecture: str, seed: int) -> Any:
    """What transformers says of a picture."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model: Any = AutoModelForImageClassification.from_pretrained(folder(architecture))
    inputs = AutoImageProcessor.from_pretrained(folder(architecture))(scene(seed=seed), return_tensors="pt")
    with torch.no_grad():
        return model(**inputs).logits[0]


@pytest.mark.parametrize("architecture", tiny_vision.CLASSIFIERS)
def test_classes_are_those_of_transformers(architecture: str):
    result = ask(opened(architecture), "image-classification", scene(seed=1), scene(seed=2))
    for seed, found in enumerate(labels(result), 1):
        scores = logits(architecture, seed).softmax(-1)
        assert [item.label for item in found.items] == [
            tiny_vision.LABELS[int(at)] for at in scores.argsort(descending=True)
        ]
        assert [item.score for item in found.items] == pytest.approx(sorted(scores.tolist())[::-1], abs=1e-4)


def test_so_many_classes_as_asked_for():
    result = ask(opened("ViTForImageClassification"), "image-classification", scene(), top_k=2)
    assert len(labels(result)[0].items) == 2


def test_several_classes_may_be_true_at_once(tmp_path):
    kind = "ViTForImageClassification"
    runner = load(tiny_vision.build(kind, tmp_path / "several", problem_type="multi_label_classification"))
    found = labels(ask(runner, "image-classification", scene(seed=1)))[0]
    best = float(logits(kind, 1).sigmoid().max())
    assert found.items[0].score == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("kind", ["CLIPModel", "SiglipModel"])
def test_named_classes_are_scored_as_transformers_does(kind: str):
    import torch
    from transformers import AutoModel, AutoProcessor

    words = ["a cat", "a dog", "red"]
    found = labels(ask(opened(kind), "zero-shot-image-classification", scene(), scene(seed=3), labels=words))
    model: Any = AutoModel.from_pretrained(folder(kind))
    how = {"padding": "max_length", "max_length": 40} if kind == "SiglipModel" else {"padding": True}
    inputs = AutoProcessor.from_pretrained(folder(kind))(
        text=[f"This is a photo of {word}." for word in words],
        images=[scene(), scene(seed=3)],
        **how,
        return_tensors="pt",
    )
    with torch.no_grad():
        said = model(**inputs).logits_per_image
    rows = said.sigmoid() if kind == "SiglipModel" else said.softmax(-1)
    for row, one in zip(rows.tolist(), found, strict=True):
        scores = {item.label: item.score for item in one.items}
        assert scores == pytest.approx(dict(zip(words, row, strict=True)), abs=1e-5)
        assert [item.score for item in one.items] == pytest.approx(sorted(row, reverse=True), abs=1e-5)


def test_labels_may_be_one_text():
    result = ask(
        opened("CLIPModel"), "zero-shot-image-classification", scene(), labels=" a cat, dog,, a cat "
    )
    assert {item.label for item in labels(result)[0].items} == {"a cat", "dog"}


def test_without_labels_it_says_what_is_missing():
    with pytest.raises(InvalidRequest, match="labels: say what to look for"):
        ask(opened("CLIPModel"), "zero-shot-image-classification", scene())


def test_a_template_needs_its_place():
    with pytest.raises(ValueError, match=r"write \{\} once"):
        ask(opened("CLIPModel"), "zero-shot-image-classification", scene(), hypothesis_template="a photo")


EMBED = "image-feature-extraction"


def vectors(kind: str, *seeds: int, **options: Any) -> list[Vector]:
    result = ask(opened(kind), EMBED, *(scene(seed=seed) for seed in seeds), **options)
    return [event for event in result.outcomes if isinstance(event, Vector)]


@pytest.mark.parametrize("kind", [*tiny_vision.ENCODERS, *tiny_vision.DUAL, *tiny_vision.CLASSIFIERS])
def test_embeddings_have_length_one_and_differ(kind: str):
    first, second = vectors(kind, 1, 2)
    assert sum(value**2 for value in first.values) == pytest.approx(1, abs=1e-4)
    assert first.values != second.values
    assert (first.index, second.index) == (0, 1)


@pytest.mark.parametrize("kind", ["Dinov2Model", "ViTModel", "ResNetModel"])
def test_embeddings_are_the_pooled_output(kind: str):
    import torch
    from transformers import AutoImageProcessor, AutoModel

    model: Any = AutoModel.from_pretrained(folder(kind))
    inputs = AutoImageProcessor.from_pretrained(folder(kind))(scene(seed=1), return_tensors="pt")
    with torch.no_grad():
        pooled = model(**inputs).pooler_output.flatten()
    found = vectors(kind, 1, normalize=False)[0]
    assert found.values == pytest.approx(pooled.tolist(), abs=1e-4)


def test_a_pooler_that_was_never_trained_is_not_used(tmp_path):
    from safetensors.torch import load_file, save_file

    path = tiny_vision.build("ViTModel", tmp_path / "vit") / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(path).items() if "pooler" not in name}
    save_file(kept, path, metadata={"format": "pt"})
    runner = load(path.parent)
    hidden = runner.seen([runner.prepared(0, scene(), EmbeddingOptions())], EmbeddingOptions())[0]
    full = vectors("ViTModel", 0, normalize=False)[0]
    assert hidden.tolist() != pytest.approx(full.values)


def test_alike_pictures_are_told_first():
    result = ask(opened("CLIPModel"), EMBED, scene(seed=1), scene(seed=4), scene(seed=1), similarity=True)
    found = labels(result)
    assert [item.label for item in found[0].items] == ["picture 3", "picture 2"]
    assert found[0].items[0].score == pytest.approx(1, abs=1e-4)
    assert (found[1].items[0].score or 0) < 0.9999


@pytest.mark.parametrize(
    ("picture", "word"),
    [("chelsea_cat.png", "Egyptian cat"), ("parrot.jpg", "macaw"), ("owl.jpg", "partridge")],
)
def test_a_real_classifier_names_real_pictures(picture: str, word: str):
    runner = load(real("models", "mobilenet_v1_025_128_imagenet"))
    found = labels(ask(runner, "image-classification", real("inputs", picture)))[0]
    assert word in [item.label for item in found.items]
