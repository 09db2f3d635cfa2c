"""One input for several tiny real models: in parallel or in turn, each failure in its own row."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inference_chat.access import Caller
from inference_chat.comparing.comparisons import groups_of
from inference_chat.errors import InvalidRequest, ModelNotFound
from inference_chat.media import image_bytes
from inference_chat.service import Service
from tests import tiny, tiny_vision
from tests.runners.caption_families import blip_questions
from tests.server import settings

WHO = Caller(owner="somebody", address="127.0.0.1")
SHORT = {"max_tokens": 6, "temperature": 0}


def told(error: Any) -> dict[str, Any]:
    return {"code": error.code}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    for seed, name in enumerate(("one", "two", "broken")):
        tiny.card(tiny.build(folder / name, seed=seed), name=name)
    (folder / "broken" / "tokenizer.json").write_text("{}")  # read only when it is loaded
    return folder


async def opened(folder: Path, models: Path, **more: Any) -> AsyncIterator[Service]:
    made = Service(settings(folder, models, **more))
    made.models.register_cards(models)
    yield made
    await made.stop()


@pytest.fixture
async def service(tmp_path: Path, models: Path) -> AsyncIterator[Service]:
    async for made in opened(tmp_path, models):
        yield made


async def test_two_models_answer_and_are_measured(service: Service):
    asked = {"prompt": "Hello", "parameters": SHORT}
    comparison = await service.compare(WHO, ["one", "two"], asked)
    answer = await comparison.answer(told)
    assert (answer["order"], answer["groups"]) == ("parallel", [["one@1.0.0", "two@1.0.0"]])
    assert [row["result"]["model"] for row in answer["results"]] == ["one@1.0.0", "two@1.0.0"]
    for row in answer["table"]:
        assert min(row["latency_ms"], row["first_token_ms"], row["compute_ms"], row["size"]) > 0
        assert row["load_ms"] > 0
        assert row["tokens"]
    assert answer["agreement"][0]["kind"] == "words"


async def test_one_after_the_other_when_asked(service: Service):
    asked = {"prompt": "Hello", "parameters": SHORT}
    comparison = await service.compare(WHO, ["one", "two"], asked, in_turn=True)
    answer = await comparison.answer(told)
    assert (answer["order"], len(answer["groups"])) == ("in_turn", 2)
    assert "as was asked" in answer["notes"][0]


async def test_in_turn_where_there_is_no_room_for_both(tmp_path: Path, models: Path):
    async for service in opened(tmp_path, models, max_loaded_models=1):
        comparison = await service.compare(WHO, ["one", "two"], {"prompt": "Hi", "parameters": SHORT})
        answer = await comparison.answer(told)
        assert answer["order"] == "in_turn"
        assert "at most 1 models" in answer["notes"][0]
        assert [row["status"] for row in answer["table"]] == ["done", "done"]


async def test_what_fails_keeps_to_its_row(service: Service):
    asked = {"prompt": "Hello", "parameters": SHORT}
    comparison = await service.compare(WHO, ["one", "broken", "nobody"], asked)
    answer = await comparison.answer(told)
    codes = [row.get("error", {}).get("code") for row in answer["results"]]
    assert codes == [None, "invalid_request", "model_not_found"]
    assert [row["status"] for row in answer["table"]] == ["done", "failed", "failed"]


@pytest.mark.parametrize(
    ("names", "asked", "says"),
    [
        (["one"], {"prompt": "Hi"}, "2 to 6"),
        (["one"] * 7, {"prompt": "Hi"}, "2 to 6"),
        (["one", "one@1.0.0"], {"prompt": "Hi"}, "more than once"),
        (["one", "two"], {"prompt": " "}, "input is empty"),
        (["one", "two"], {"prompt": "Hi", "parameters": {"max_tokens": -1}}, "max_tokens"),
        (["one", "two"], {"prompt": "Hi", "task": "cooking"}, "no task"),
    ],
)
async def test_a_wrong_input_is_refused_as_a_whole(service: Service, names: Any, asked: Any, says: str):
    with pytest.raises(InvalidRequest, match=says):
        await service.compare(WHO, names, asked)


async def test_nobody_known_is_no_comparison(service: Service):
    with pytest.raises(ModelNotFound):
        await service.compare(WHO, ["nobody", "noone"], {"prompt": "Hi"})


async def test_stopped_it_keeps_what_is_there_and_begins_no_more(service: Service):
    asked = {"prompt": "Hello", "parameters": {"max_tokens": 200, "temperature": 1, "seed": 1}}
    comparison = await service.compare(WHO, ["one", "two"], asked, in_turn=True)
    await comparison.rows[0].begun.wait()
    comparison.cancel()
    answer = await comparison.answer(told)
    assert answer["table"][0]["status"] == "cancelled"
    assert answer["results"][1]["error"]["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("needs", "room", "places", "groups"),
    [
        ([3, 3, 3], 10, 5, [[0, 1, 2]]),
        ([6, 6, 3], 10, 5, [[0], [1, 2]]),
        ([3, 3, 3], 10, 2, [[0, 1], [2]]),
        ([3, 0, 3], 10, 5, [[0], [1], [2]]),
        ([20, 3], 10, 5, [[0], [1]]),
        ([3, None, 3, None], 6, 2, [[0, 1, 2, 3]]),
        ([None, 9, None, 9], 10, 5, [[0, 1, 2], [3]]),
        ([0, None], 10, 5, [[0, 1]]),
        ([], 10, 5, []),
    ],
)
def test_groups_fit_into_memory(needs: list[int | None], room: int, places: int, groups: list[list[int]]):
    assert groups_of(needs, room, places) == groups


async def test_each_run_tells_what_it_took_of_energy(service: Service):
    comparison = await service.compare(WHO, ["one", "nobody"], {"prompt": "Hello", "parameters": SHORT})
    good, bad = (await comparison.answer(told))["table"]
    assert good["energy_j"] > 0
    assert good["energy"] in ("measured", "assumed")
    assert (bad["energy_j"], bad["energy"]) == (None, None)


async def test_the_planner_is_compared_with_a_model(service: Service):
    await service.models.delete("broken")
    asked = {"prompt": "Hello", "parameters": SHORT}
    comparison = await service.compare(WHO, ["one", "auto"], asked)
    answer = await comparison.answer(told)
    assert answer["groups"] == [["one@1.0.0"], ["auto@1.0.0"]]
    assert "ran after them" in answer["notes"][0]
    first, planned = answer["table"]
    assert planned["status"] == "done"
    assert min(planned["compute_ms"], planned["memory"], planned["size"], planned["energy_j"]) > 0
    assert planned["tokens"] == first["tokens"]
    assert answer["agreement"][0]["kind"] == "words"


async def test_the_planner_answers_questions_about_pictures_in_its_own_way(
    service: Service, models: Path, tmp_path: Path
):
    """A task that it does not have by name is asked of it as talking about the file."""
    folder = tmp_path / "seen"
    tiny_vision.build("DetrForObjectDetection", folder / "finder")
    blip_questions(folder / "asked")
    service.models.register_cards(folder)
    picture = await service.intake.file(image_bytes(tiny_vision.scene()), "image")
    asked = {"task": "visual-question-answering", "prompt": "How many cats are there?", "media": (picture,)}
    answer = await (await service.compare(WHO, ["asked", "auto"], asked)).answer(told)
    assert "error" not in answer["results"][1], answer["results"][1]
    assert answer["results"][1]["result"]["output"]["text"]
