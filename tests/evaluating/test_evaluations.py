"""Evaluations of tiny real models: what is measured, stopped and resumed, and what is refused."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inference_chat.errors import InvalidRequest, NotFound
from inference_chat.evaluating.evaluations import Asked, mark_best
from inference_chat.runners.checkpoint import Checkpoint
from inference_chat.schema import JSON
from inference_chat.service import Service
from tests import tiny, tiny_vision
from tests.runners import text_families
from tests.server import settings


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny.card(text_families.bert(folder / "reader"), "reader", pipeline_tag="text-classification")
    tiny.card(
        tiny_vision.build("ResNetForImageClassification", folder / "eyes"),
        "eyes",
        pipeline_tag="image-classification",
    )
    tiny.card(tiny.build(folder / "writer"), "writer")
    return folder


@pytest.fixture
async def service(tmp_path: Path, models: Path) -> AsyncIterator[Service]:
    made = Service(settings(tmp_path, models))
    await asyncio.to_thread(made.models.register_cards, models)
    yield made
    await made.stop()


def lines(*rows: JSON) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def kept(service: Service, tmp_path: Path, data: bytes, name: str = "mine.jsonl") -> str:
    (tmp_path / "sent").write_bytes(data)
    return service.evaluations.sets.keep(tmp_path / "sent", name)


async def ended(service: Service, **asked: Any) -> JSON:
    id = (await service.evaluations.start(Asked(**asked)))["id"]
    return [shown async for shown in service.evaluations.watch(id, 0.05)][-1]


async def labels_of(service: Service, model: str) -> list[str]:
    return list(checkpoint(service, model).config["id2label"].values())


def checkpoint(service: Service, model: str) -> Checkpoint:
    found = service.models.find(service.models.record(model, None))
    assert isinstance(found, Checkpoint)
    return found


async def test_a_text_classifier_is_measured_and_its_record_tells(service: Service, tmp_path: Path):
    first = (await labels_of(service, "reader"))[0]
    set_id = kept(service, tmp_path, lines(*({"text": f"word {i}", "label": first} for i in range(14))))
    shown = await ended(service, models=["reader"], set=set_id)
    result = shown["results"][0]
    assert (shown["state"], shown["task"], shown["set_name"]) == ("done", "text-classification", "mine.jsonl")
    assert (result["state"], result["rows"], result["done"]) == ("done", 14, 14)
    assert result["scores"]["accuracy"] == result["score"] == result["right"] / 14
    assert result["latency_ms"] > 0
    assert result["memory"] > 0
    assert result["best"] == (result["score"] > 0)
    assert len(result["mistakes"]) == min(12, 14 - result["right"])
    metrics = (await service.models.get("reader"))["metrics"]
    assert metrics["accuracy"] == result["score"]
    assert metrics["accuracy_of"] == {"set": "mine.jsonl", "rows": 14, "measure": "accuracy"}
    assert (await service.stats("hour"))["accuracy"][0]["set"] == "mine.jsonl"


def test_the_best_choices_are_beaten_by_none_in_everything_and_are_right_in_something():
    parts: list[dict[str, Any]] = [
        {"model": "right", "score": 0.9, "latency_ms": 9.0, "memory": 90},
        {"model": "small", "score": 0.5, "latency_ms": 9.0, "memory": 10},
        {"model": "beaten", "score": 0.5, "latency_ms": 10.0, "memory": 10},
        {"model": "useless", "score": 0.0, "latency_ms": 1.0, "memory": 1},
        {"model": "failed", "score": None},
    ]
    mark_best(parts)
    assert [one["model"] for one in parts if one["best"]] == ["right", "small"]


async def test_pictures_go_in_batches_and_a_broken_one_is_named(service: Service, tmp_path: Path):
    label = (await labels_of(service, "eyes"))[0]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(19):
            picture = io.BytesIO()
            tiny_vision.scene(32, 32, seed=number).save(picture, "PNG")
            archive.writestr(f"{label}/{number:02}.png", picture.getvalue())
        archive.writestr(f"{label}/15-broken.png", b"no picture")
    shown = await ended(service, models=["eyes"], set=kept(service, tmp_path, packed.getvalue(), "x.zip"))
    result = shown["results"][0]
    assert (result["rows"], result["done"]) == (19, 20)
    assert "1 rows were left out: row 16" in result["notes"][0]
    requests = (await service.models.get("eyes"))["metrics"]["requests"]
    assert requests < 19


async def test_a_stopped_evaluation_goes_on_where_it_was(service: Service, tmp_path: Path):
    set_id = kept(service, tmp_path, lines(*({"prompt": f"{i}?", "answer": "x"} for i in range(30))))
    asked = Asked(models=("writer",), set=set_id, parameters={"max_tokens": 20})
    id = (await service.evaluations.start(asked))["id"]
    async for shown in service.evaluations.watch(id, 0.02):
        if shown["results"][0]["done"] >= 3:
            break
    shown = await service.evaluations.cancel(id)
    before = shown["results"][0]["done"]
    assert (shown["state"], shown["results"][0]["state"]) == ("cancelled", "cancelled")
    assert 3 <= before < 30
    assert (await service.models.get("writer"))["metrics"]["accuracy"] is None
    await service.evaluations.resume(id)
    async for shown in service.evaluations.watch(id, 0.05):
        assert shown["results"][0]["done"] >= before
    assert (shown["state"], shown["results"][0]["done"]) == ("done", 30)
    await service.evaluations.remove(id)
    with pytest.raises(NotFound):
        await service.evaluations.get(id)


async def test_one_that_waits_for_its_turn_is_stopped_at_once(service: Service, tmp_path: Path):
    set_id = kept(service, tmp_path, lines(*({"prompt": f"{i}?", "answer": "x"} for i in range(1000))))
    asked = Asked(models=("writer",), set=set_id, parameters={"max_tokens": 20})
    first, second = [(await service.evaluations.start(asked))["id"] for _ in range(2)]
    async with asyncio.timeout(20):
        assert (await service.evaluations.cancel(second))["state"] == "cancelled"
    assert (await service.evaluations.get(first))["state"] in ("waiting", "running")
    assert (await service.evaluations.cancel(first))["state"] == "cancelled"
    assert (await service.evaluations.resume(second))["state"] in ("waiting", "running")


async def test_perplexity_is_that_of_the_right_answers(service: Service, tmp_path: Path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    set_id = kept(service, tmp_path, lines({"prompt": "the", "answer": "one in"}))
    result = (await ended(service, models=["writer"], set=set_id, metric="perplexity"))["results"][0]
    folder = checkpoint(service, "writer").folder
    ids = AutoTokenizer.from_pretrained(folder)("the one in", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        told = AutoModelForCausalLM.from_pretrained(folder)(ids).logits[0].log_softmax(-1)
    chances = [float(told[at, token]) for at, token in enumerate(ids[0, 1:].tolist())]
    wanted = float(torch.tensor(chances).mean().neg().exp())
    assert result["scores"]["perplexity"] == pytest.approx(wanted, rel=1e-3)
    assert result["score"] == pytest.approx(1 / wanted, rel=1e-3)
    assert (await service.models.get("writer"))["metrics"]["accuracy"] is None


async def test_labels_that_a_model_does_not_know_are_told(service: Service, tmp_path: Path):
    label = (await labels_of(service, "reader"))[0]
    some = kept(service, tmp_path, lines({"text": "a", "label": label}, {"text": "b", "label": "zebra"}))
    result = (await ended(service, models=["reader"], set=some))["results"][0]
    assert "does not know the labels zebra" in result["notes"][0]
    none = kept(service, tmp_path, lines({"text": "b", "label": "zebra"}))
    result = (await ended(service, models=["reader"], set=none))["results"][0]
    assert result["state"] == "failed"
    assert "knows none of the set's labels (zebra)" in result["error"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"set": "gone"}, "no set 'gone'"),
        ({"metric": "wer"}, "of text-classification one of accuracy, f1"),
        ({"models": ("reader", "eyes")}, "eyes@1.0.0 does image-classification"),
        ({"task": "feature-extraction"}, "feature-extraction has no measure here"),
    ],
)
async def test_what_cannot_be_measured_is_refused(service: Service, tmp_path: Path, asked: Any, said: str):
    some = kept(service, tmp_path, lines({"text": "a", "label": "b"}))
    fields = {"models": ("reader",), "set": some, "task": "text-classification"} | asked
    with pytest.raises(InvalidRequest, match=said):
        await service.evaluations.start(Asked(**fields))


async def test_what_ran_when_the_server_ended_is_interrupted(service: Service, tmp_path: Path, models: Path):
    set_id = kept(service, tmp_path, lines(*({"prompt": f"{i}?", "answer": "x"} for i in range(50))))
    shown = await service.evaluations.start(Asked(models=("writer",), set=set_id))
    await service.stop()
    again = Service(settings(tmp_path, models))
    assert (await again.evaluations.get(shown["id"]))["state"] == "interrupted"
    await again.stop()
