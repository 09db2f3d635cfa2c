"""Which model for what: the task as it is read, figures that were measured, limits that are kept."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from examples.train_starters.reader_data.requests import Request, free
from inference_chat.access import Caller
from inference_chat.errors import InvalidRequest, UnsupportedTask
from inference_chat.recommending.wishes import Constraints
from inference_chat.registry.registry import ModelRecord
from inference_chat.service import Service
from inference_chat.ui.recommending import WISHES
from tests import tiny, tiny_vision
from tests.server import settings

READER = Path(__file__).parents[2] / "model_cards" / "starter-reader"
WHO = Caller(owner="somebody", address="127.0.0.1")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recommended")
    for seed, (name, license) in enumerate((("one", "mit"), ("two", "apache-2.0"))):
        tiny.card(tiny.build(folder / name, seed=seed), name=name, license=license)
    os.symlink(READER, folder / READER.name)
    return folder


@pytest.fixture
async def service(tmp_path: Path, models: Path) -> AsyncIterator[Service]:
    made = Service(settings(tmp_path, models))
    made.models.register_cards(models)
    yield made
    await made.stop()


def names(found: dict[str, Any], part: str = "recommendations") -> list[str]:
    return [one["model"].split("@")[0] for one in found[part]]


async def test_the_task_is_read_from_free_words(service: Service):
    found = await service.recommender.recommend("draft a letter to my aunt, under 1 minute")
    assert (found["task"], found["understood"]["by"]) == ("text-generation", ["starter-reader", "keywords"])
    assert found["constraints"] == {"max_latency_ms": 60_000}
    assert sorted(names(found)) == ["one", "two"]
    assert len(found["understood"]["alternatives"]) == 3
    assert "not timed here yet" in found["recommendations"][0]["reasons"][0]


async def test_what_several_models_answer_together_is_recommended_as_a_plan(service: Service, tmp_path: Path):
    asked: dict[str, Any] = {"description": "answer questions about my video", "task": "video-text-to-text"}
    found = await service.recommender.recommend(**asked)
    assert (names(found), "No model for video-text-to-text" in found["notes"][-1]) == ([], True)
    os.symlink(READER.parent / "starter-detector", tmp_path / "starter-detector")
    await service.models.register({"name": "finds", "file_path": str(tmp_path / "starter-detector")})
    found = await service.recommender.recommend(**asked)
    assert (names(found), found["notes"]) == (["auto"], [])
    assert found["recommendations"][0]["try"] == "?tab=video&model=auto&task=video-text-to-text"


async def test_without_the_reader_keywords_are_enough(service: Service):
    await service.models.delete("starter-reader")
    found = await service.recommender.recommend("translate my letter into french")
    assert (found["task"], found["understood"]["by"]) == ("translation", ["keywords"])
    assert "Only keywords" in found["notes"][0]
    assert "No model for translation is registered" in found["notes"][-1]


async def test_reasons_quote_what_was_measured(service: Service):
    job = await service.infer(WHO, model="two", prompt="Hi", parameters={"max_tokens": 4}, use_cache=False)
    await job.result()
    found = await service.recommender.recommend(task="text-generation")
    told = {one["model"]: " ".join(one["reasons"]) for one in found["recommendations"]}
    assert "the median of one run here" in told["two@1.0.0"]
    assert "(measured)" in told["two@1.0.0"]
    assert "in memory now" in told["two@1.0.0"]
    assert "(estimated)" in told["one@1.0.0"]
    assert names(found)[0] == "two"


async def test_a_licence_is_kept_to(service: Service):
    found = await service.recommender.recommend("write a poem, Apache-licensed")
    assert (names(found), names(found, "left_out")) == (["two"], ["one"])
    assert found["left_out"][0]["reasons"] == ["its licence is mit, not apache-2.0"]


async def test_what_is_too_slow_is_left_out_with_its_figure(service: Service):
    job = await service.infer(WHO, model="one", prompt="Hi", parameters={"max_tokens": 4}, use_cache=False)
    await job.result()
    limits = Constraints(max_latency_ms=0.01)
    found = await service.recommender.recommend(task="text-generation", constraints=limits)
    assert "one" in names(found, "left_out")


async def test_what_does_not_fit_is_never_recommended(service: Service):
    huge = ModelRecord(name="huge", source="hub", tasks=("text-generation",), memory_estimate=10**15)
    service.registry.add(huge)
    found = await service.recommender.recommend(task="text-generation")
    assert "huge" not in names(found)
    assert names(found, "with_more_memory") == ["huge"]
    assert "raise MEMORY_LIMIT_MB" in found["with_more_memory"][0]["reasons"][0]


async def test_what_is_not_here_yet_says_so(service: Service):
    far = ModelRecord(name="far", hub_id="nobody/far", source="hub", tasks=("text-generation",))
    gone = ModelRecord(name="gone", file_path="/nowhere", tasks=("text-generation",))
    for record in (far, gone):
        service.registry.add(record)
    found = await service.recommender.recommend(task="text-generation")
    reasons = {one["model"]: one["reasons"] for one in found["recommendations"]}
    assert any("must be fetched from the Hub first" in reason for reason in reasons["far@1.0.0"])
    assert names(found, "left_out") == ["gone"]


async def test_a_detector_that_knows_the_thing_comes_first(service: Service, tmp_path: Path):
    for name, label in (("shapes", "circle"), ("pets", "cat")):
        folder = tiny_vision.build("DetrForObjectDetection", tmp_path / name)
        config = json.loads((folder / "config.json").read_text())
        config["id2label"] = {number: f"{label} {number}" for number in config["id2label"]} | {"0": label}
        (folder / "config.json").write_text(json.dumps(config))
        await service.models.register({"name": name, "file_path": str(folder)})
    found = await service.recommender.recommend("find the cats in my photo", "object-detection")
    reasons = {one["model"]: one["reasons"][0] for one in found["recommendations"]}
    assert names(found) == ["pets", "shapes"]
    assert reasons["pets@1.0.0"].startswith("knows “cat”")
    assert "your words name none" in reasons["shapes@1.0.0"]


@pytest.mark.parametrize("wish", WISHES)
async def test_what_the_page_offers_to_try_is_understood(service: Service, wish: str):
    meant = ("object-detection", "automatic-speech-recognition", "object-detection", "text-generation")
    assert (await service.recommender.recommend(wish))["task"] == meant[WISHES.index(wish)]


async def test_unclear_words_are_called_a_guess(service: Service):
    found = await service.recommender.recommend("qwxz")
    assert found["notes"][0].startswith("This is a guess")


async def test_a_wish_is_needed_and_tasks_have_names(service: Service):
    with pytest.raises(InvalidRequest, match="Say what you want"):
        await service.recommender.recommend("  ")
    with pytest.raises(UnsupportedTask, match="no task"):
        await service.recommender.recommend(task="cooking")


def own(name: str) -> list[Request]:
    """Requests that nothing was trained on: `wishes` written before the training, `fresh` long after it."""
    found, task = [], ""
    for line in (Path(__file__).parent / f"{name}.txt").read_text().splitlines():
        task = line.strip("[]") if line.startswith("[") else task
        found += [] if line.startswith("[") else [Request(line, task)]
    return found


@pytest.mark.parametrize(
    ("name", "least"), [("wishes", 0.95), ("fresh", 0.95), ("errands", 0.95), ("free", 0.93)]
)
async def test_requests_that_nothing_was_trained_on_are_understood(service: Service, name: str, least: float):
    right, offered = 0, 0
    asked = own(name) if name in ("wishes", "fresh") else list(free(name))
    for one in asked:
        understood = (await service.recommender.recommend(one.text))["understood"]
        right += understood["task"] == one.task
        offered += one.task in (understood["task"], *(other["task"] for other in understood["alternatives"]))
    assert right / len(asked) >= least
    assert offered / len(asked) >= 0.97
