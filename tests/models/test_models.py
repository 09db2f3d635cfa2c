"""What can be done with models, called as the doors call it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inference_chat import runners
from inference_chat import service as module
from inference_chat.errors import (
    Forbidden,
    InvalidModel,
    InvalidRequest,
    ModelBusy,
    ModelExists,
    ModelNotFound,
    UnsupportedTask,
    VersionNotFound,
)
from inference_chat.records import Run
from inference_chat.schema import now
from inference_chat.service import Service
from inference_chat.tasks import Task
from tests import tiny
from tests.fakes import ANNE, FAMILIES, running
from tests.server import one_model


@pytest.fixture
async def service(tmp_path: Path, tiny_llama: Path, monkeypatch) -> AsyncIterator[Service]:
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    monkeypatch.setattr(module, "WARM_UP_DELAY", 3600)
    async with running(tmp_path, one_model(tmp_path / "models", tiny_llama)) as service:
        yield service


def described(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "model_type": "TextGeneration", **more}


async def test_a_record_is_read_from_the_folder_and_told_without_its_place(
    service: Service, tiny_llama: Path
):
    record = await service.models.register({"name": "mine", "file_path": str(tiny_llama)})
    assert (record["id"], record["tasks"], record["status"]) == (
        "mine@1.0.0",
        ["text-generation"],
        "available",
    )
    assert record["file_size"] > 10_000
    assert len(record["sha256"]) == 64
    assert str(tiny_llama.parent) not in record["file_path"]


async def test_a_version_is_registered_once(service: Service, tiny_llama: Path):
    body = {"name": "mine", "version": "2.0.0", "file_path": str(tiny_llama)}
    await service.models.register(body)
    with pytest.raises(ModelExists):
        await service.models.register(body)
    await service.models.register(body | {"version": "10.0.0"})
    assert [record["version"] for record in await service.models.versions("mine")] == ["10.0.0", "2.0.0"]
    assert (await service.models.get("mine"))["version"] == "10.0.0"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"name": "x", "file_path": "/nowhere/at/all"}, InvalidModel),
        ({"name": "x"}, InvalidModel),
        ({"name": "x", "file_path": "x" * 5000}, InvalidModel),
        ({"name": "a/b", "model_type": "TextGeneration"}, InvalidRequest),
        ({"name": "x", "model_type": "TextGeneration", "colour": 1}, InvalidRequest),
    ],
)
async def test_what_is_no_model_is_refused(service: Service, body: dict[str, Any], error: type[Exception]):
    with pytest.raises(error):
        await service.models.register(body)
    assert (await service.models.list())[1] == 1


async def test_defaults_that_no_runner_knows_are_refused(service: Service, tiny_llama: Path):
    body = {"name": "x", "file_path": str(tiny_llama), "parameters": {"temperature": 99}}
    with pytest.raises(InvalidRequest, match="temperature"):
        await service.models.register(body)


async def test_what_is_not_there_is_said_with_what_is(service: Service):
    with pytest.raises(ModelNotFound, match="tiny-llama"):
        await service.models.get("tiny-lama")
    with pytest.raises(VersionNotFound):
        await service.models.get("tiny-llama@9.9.9")
    with pytest.raises(UnsupportedTask, match="text-generation"):
        service.models.record("tiny-llama", Task.IMAGE_CLASSIFICATION)


async def test_lists_filter_sort_and_page(service: Service):
    for number in range(3):
        await service.models.register(described(f"m{number}", tags=["odd"] if number % 2 else []))
    assert [item["name"] for item in (await service.models.list(tag="odd"))[0]] == ["m1"]
    found, total = await service.models.list(sort="-name", limit=2, offset=1)
    assert ([item["name"] for item in found], total) == (["m2", "m1"], 4)
    assert (await service.models.list(status="loaded"))[1] <= 1
    assert (await service.models.list(status="failed")) == ([], 0)


async def test_search_finds_the_best_first_and_minds_memory(service: Service):
    await service.models.register(described("poems-big", memory_estimate=10**12))
    await service.models.register(described("poems-small", memory_estimate=10**6))
    found = await service.models.search("poems", max_memory_mb=100)
    assert [item["name"] for item in found] == ["poems-small"]


async def test_records_have_the_figures_of_their_own_runs(service: Service):
    service.records.note(Run(model="tiny-llama@1.0.0", task="text-generation", started_at=now(), total_ms=7))
    await service.models.register(described("idle"))
    figures = {item["name"]: item["metrics"] for item in (await service.models.list())[0]}
    assert (figures["tiny-llama"]["requests"], figures["tiny-llama"]["latency_ms_p50"]) == (1, 7)
    assert (figures["idle"]["requests"], figures["idle"]["latency_ms_p50"]) == (0, None)
    assert (await service.models.search("tiny"))[0]["metrics"] == figures["tiny-llama"]


async def test_a_model_is_loaded_unloaded_and_forgotten(service: Service, tiny_llama: Path):
    assert (await service.models.load("tiny-llama"))["status"] == "loaded"
    assert (await service.models.unload("tiny-llama"))["status"] == "available"
    await service.models.delete("tiny-llama")
    assert (await service.models.list())[1] == 0
    assert (tiny_llama / "config.json").is_file()


async def test_a_model_that_answers_is_not_taken_away(service: Service):
    job = await service.infer(ANNE, prompt="for ever")
    async for _ in job.watch():
        for take in (service.models.unload, service.models.delete):
            with pytest.raises(ModelBusy):
                await take("tiny-llama")
        job.cancel()
    assert (await service.models.list())[1] == 1


async def test_the_default_is_a_starter_else_the_first_that_is_there(
    service: Service, tmp_path: Path, tiny_llama
):
    assert service.models.default() == "tiny-llama@1.0.0"
    await service.models.register(described("aaa-gone"))
    assert service.models.default() == "tiny-llama@1.0.0"
    await service.models.register({"name": "starter-chat", "file_path": str(tiny_llama)})
    assert service.models.default() == "starter-chat@1.0.0"


async def test_an_operator_can_forbid_changes(tmp_path: Path, tiny_llama: Path):
    models = one_model(tmp_path / "models", tiny_llama)
    async with running(tmp_path, models, allow_registration=False) as service:
        with pytest.raises(Forbidden):
            await service.models.register(described("x"))
        with pytest.raises(Forbidden):
            await service.models.delete("tiny-llama")


async def test_cards_that_change_are_registered_anew_and_broken_ones_told(tmp_path: Path):
    folder = tiny.card(tiny.build(tmp_path / "models" / "one"), name="one", tags=["first"])
    (tmp_path / "models" / "broken.md").write_text("---\nname: [\n---\n")
    for tag in ("first", "second"):
        tiny.card(folder, name="one", tags=[tag])
        async with running(tmp_path, tmp_path / "models") as service:
            assert (await service.models.get("one"))["tags"] == [tag]
            assert "broken" in service.notices[0]
