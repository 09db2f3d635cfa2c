"""What people decide about models, and a registry that is carried to another machine."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inference_chat import runners
from inference_chat import service as module
from inference_chat.errors import Conflict, Forbidden, InvalidRequest, OutOfMemory
from inference_chat.pool import MIB
from inference_chat.service import Service
from inference_chat.tasks import Task
from tests.fakes import FAMILIES, running
from tests.server import one_model

ID = "tiny-llama@1.0.0"


@pytest.fixture
async def service(tmp_path: Path, tiny_llama: Path, monkeypatch) -> AsyncIterator[Service]:
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    monkeypatch.setattr(module, "WARM_UP_DELAY", 3600)
    monkeypatch.setattr(module, "SHELF_SECONDS", 3600)
    async with running(tmp_path, one_model(tmp_path / "models", tiny_llama)) as service:
        yield service


async def versions(service: Service, folder: Path, *names: str) -> None:
    for version in names:
        body = {"name": "mine", "version": version, "file_path": str(folder)}
        await service.models.register(body)


async def meant(service: Service) -> str:
    shown = await service.models.versions("mine")
    (default,) = (one["version"] for one in shown if one["default"])
    assert default == (await service.models.get("mine"))["version"]
    return str(default)


async def test_a_version_is_promoted_and_rolled_back_step_by_step(service: Service, tiny_llama: Path):
    await versions(service, tiny_llama, "1", "2", "3")
    assert await meant(service) == "3"
    await service.curation.promote("mine@1")
    await service.curation.promote("mine@2")
    assert await meant(service) == "2"
    await service.curation.roll_back("mine")
    assert await meant(service) == "1"
    await service.curation.roll_back("mine")
    assert await meant(service) == "3"
    with pytest.raises(Conflict, match="promote one"):
        await service.curation.roll_back("mine")


async def test_a_new_version_leaves_a_promoted_one_and_its_figures_alone(service: Service, tiny_llama: Path):
    await versions(service, tiny_llama, "1")
    await service.curation.promote("mine@1")
    before = await service.models.get("mine@1")
    await versions(service, tiny_llama, "2")
    assert await meant(service) == "1"
    assert await service.models.get("mine@1") == before
    await service.curation.promote("mine")
    assert await meant(service) == "2"


async def test_rolling_back_passes_over_versions_that_were_removed(service: Service, tiny_llama: Path):
    await versions(service, tiny_llama, "1", "2", "3")
    for version in ("1", "2", "1"):
        await service.curation.promote(f"mine@{version}")
    await service.models.delete("mine@2")
    await service.curation.roll_back("mine")
    assert await meant(service) == "3"


async def test_what_people_set_outlives_the_next_start(tmp_path: Path, service: Service):
    edited = await service.curation.edit(
        ID, {"tags": ["mine"], "note": "quick", "parameters": {"temperature": 0.1}}
    )
    assert edited["edited"] == ["note", "parameters", "tags"]
    service.models.register_cards(tmp_path / "models")
    kept = await service.models.get(ID)
    assert (kept["tags"], kept["note"], kept["parameters"]) == (["mine"], "quick", {"temperature": 0.1})
    options = service.models.parameters(service.registry.get(ID), Task.TEXT_GENERATION)
    assert options.model_dump()["temperature"] == 0.1


async def test_defaults_that_the_model_does_not_know_are_refused(service: Service):
    with pytest.raises(InvalidRequest, match="temperature"):
        await service.curation.edit(ID, {"parameters": {"temperature": 99}})
    assert (await service.models.get(ID))["edited"] == []


async def test_a_pinned_model_stays_while_others_leave(service: Service, tiny_llama: Path):
    await versions(service, tiny_llama, "1")
    shown = await service.curation.pin(ID)
    assert (shown["pinned"], shown["status"]) == (True, "loaded")
    await service.models.load("mine")
    await service.pool.unload_idle(now=1e12)
    assert [service.pool.status(id) for id in (ID, "mine@1")] == ["loaded", "available"]
    await service.curation.unpin(ID)
    await service.pool.unload_idle(now=1e12)
    assert service.pool.status(ID) == "available"


async def test_unloading_by_hand_takes_the_pin_off(service: Service):
    await service.curation.pin(ID)
    shown = await service.curation.unload(ID)
    assert (shown["pinned"], shown["status"]) == (False, "available")


async def test_what_does_not_fit_beside_pinned_models_is_told_at_once(
    tmp_path: Path, tiny_llama: Path, monkeypatch
):
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    monkeypatch.setattr(module, "WARM_UP_DELAY", 3600)
    models = one_model(tmp_path / "models", tiny_llama)
    async with running(tmp_path, models, max_loaded_models=1) as service:
        await versions(service, tiny_llama, "1")
        await service.curation.pin(ID)
        with pytest.raises(OutOfMemory, match=f"{ID} are pinned"):
            await service.models.load("mine")
        assert service.pool.status(ID) == "loaded"


async def test_pinned_models_are_loaded_at_the_start(tmp_path: Path, tiny_llama: Path, monkeypatch):
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    monkeypatch.setattr(module, "WARM_UP_DELAY", 3600)
    models = one_model(tmp_path / "models", tiny_llama)
    async with running(tmp_path, models) as service:
        await versions(service, tiny_llama, "1")
        await service.curation.pin("mine")
    async with running(tmp_path, models) as service:
        await service.curation.load_pinned()
        assert list(service.pool.memory()) == ["mine@1"]


async def test_a_dry_run_tells_memory_and_keeps_nothing(service: Service, tiny_llama: Path):
    told = await service.checking.check({"name": "mine", "file_path": str(tiny_llama)})
    assert (told["ok"], told["problem"], told["warnings"]) == (True, None, [])
    assert told["record"]["tasks"] == ["text-generation"]
    assert str(tiny_llama.parent) not in str(told)
    assert told["memory"]["needed"] == MIB
    assert told["memory"]["fits_now"] is True
    assert not service.registry.knows("mine")


async def test_a_dry_run_says_why_not(service: Service, tiny_llama: Path, tmp_path: Path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "config.json").write_text("{}")
    (tmp_path / "bad" / "pytorch_model.bin").write_bytes(b"x")
    told = await service.checking.check({"name": "bad", "file_path": str(tmp_path / "bad")})
    assert (told["ok"], told["problem"]["code"]) == (False, "unsafe_model")
    twice = {"name": "tiny-llama", "version": "1.0.0", "file_path": str(tiny_llama)}
    assert (await service.checking.check(twice))["problem"]["code"] == "model_exists"


async def test_lies_about_size_and_task_are_told_and_do_not_stand(service: Service, tiny_llama: Path):
    body = {"name": "liar", "file_path": str(tiny_llama), "file_size": 1, "sha256": "0" * 64}
    record = await service.models.register(body | {"tasks": ["object-detection"], "memory_estimate": 1})
    assert record["tasks"] == ["text-generation"]
    assert (record["file_size"] > 10_000, record["sha256"] != "0" * 64) == (True, True)
    assert record["memory_estimate"] == MIB
    assert len(record["warnings"]) == 4


async def test_folders_outside_the_roots_are_refused_and_so_are_links_that_lead_there(
    tmp_path: Path, tiny_llama: Path, monkeypatch
):
    monkeypatch.setattr(module, "WARM_UP_DELAY", 3600)
    allowed, outside = tmp_path / "allowed", tmp_path / "outside"
    shutil.copytree(tiny_llama, outside)
    (allowed / "linked").mkdir(parents=True)
    for path in outside.iterdir():
        (allowed / "linked" / path.name).symlink_to(path)
    (allowed / "whole").symlink_to(outside)
    shutil.copytree(tiny_llama, allowed / "good")
    async with running(tmp_path, model_roots=(allowed,)) as service:
        for place in (
            outside,
            allowed / "whole",
            allowed / "linked",
            allowed / ".." / "outside",
            "/no/where",
        ):
            with pytest.raises(Forbidden, match="models may come from") as refused:
                await service.models.register({"name": "x", "file_path": str(place)})
            assert str(tmp_path) not in refused.value.detail
        record = await service.models.register({"name": "good", "file_path": str(allowed / "good")})
        (allowed / "good" / "config.json").unlink()
        (allowed / "good" / "config.json").symlink_to(outside / "config.json")
        with pytest.raises(Forbidden, match=r"config\.json"):
            await service.models.load(record["id"])


async def test_a_registry_is_carried_over(tmp_path: Path, service: Service, tiny_llama: Path):
    await versions(service, tiny_llama, "1", "2")
    await service.curation.promote("mine@1")
    await service.curation.edit("mine@1", {"note": "the good one"})
    document = await service.transfer.export()
    assert str(tmp_path) not in str(document)
    async with running(tmp_path / "there") as other:
        taken = await other.transfer.take(document["models"], document["defaults"], replace=False, keep=True)
        assert (sorted(taken["added"]), taken["refused"]) == (["mine@1", "mine@2", ID], [])
        shown = await other.models.get("mine")
        assert (shown["version"], shown["note"], shown["edited"]) == ("1", "the good one", ["note"])
        again = await other.transfer.take(document["models"], {}, replace=False, keep=True)
        assert (again["added"], len(again["kept"])) == ([], 3)


async def test_an_export_is_found_below_the_folders_of_another_server(
    tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
):
    """It names the last two parts of a folder only, and a server is seldom started where they begin."""
    shutil.copytree(tiny_llama, tmp_path / "shelf" / "mine")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    async with running(tmp_path / "here", model_roots=(tmp_path / "shelf",)) as service:
        await service.models.register({"name": "mine", "file_path": str(tmp_path / "shelf" / "mine")})
        document = await service.transfer.export()
        again = await service.transfer.take(document["models"], {}, replace=False, keep=False)
        assert (again["refused"], "mine@1.0.0" in again["kept"]) == ([], True)
    async with running(tmp_path / "there", model_roots=(tmp_path / "shelf",)) as other:
        taken = await other.transfer.take(document["models"], {}, replace=False, keep=True)
        assert "mine@1.0.0" in taken["added"]
        assert other.registry.get("mine").file_path == str(tmp_path / "shelf" / "mine")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "my model!"}, "name: 1 to 96 letters, digits"),
        ({"version": "1/2"}, "version: 1 to 64 letters, digits"),
        ({"endpoint": {"url": "ftp://example.org"}}, "endpoint.url: an http(s) URL is needed"),
    ],
)
async def test_what_is_wrong_with_a_field_is_said_in_words(service: Service, more: dict[str, Any], said: str):
    body = {"name": "x", "model_type": "TextGeneration", **more}
    told = await service.checking.check(body)
    assert told["problem"]["detail"].startswith(said)


async def test_what_cannot_be_imported_spoils_nothing_else(service: Service):
    models: list[Any] = [
        {"name": "a/b", "model_type": "x"},
        {"name": "good", "model_type": "TextGeneration"},
        {"x": 1},
    ]
    told = await service.transfer.take(models, {}, replace=False, keep=False)
    assert (told["added"], [one["number"] for one in told["refused"]]) == (["good@1.0.0"], [0, 2])
    assert not service.registry.knows("good")


async def test_a_card_that_is_dropped_in_appears_and_a_broken_one_is_told(
    tmp_path: Path, service: Service, tiny_llama: Path
):
    shelf = tmp_path / "models"
    assert service.shelf.look() == ()
    shutil.copytree(
        tiny_llama, shelf / "dropped", ignore=shutil.ignore_patterns("*.safetensors", "README.md")
    )
    assert service.shelf.look() == ()
    assert "dropped" in service.notices[0]
    shutil.copy(tiny_llama / "model.safetensors", shelf / "dropped")
    assert service.shelf.look() == ("dropped@1.0.0",)
    assert service.notices == ()
    (shelf / "there.md").write_text("---\npipeline_tag: text-generation\n---\nOne of the hub.")
    assert service.shelf.look() == ("there@1.0.0",)
    await service.models.delete("there")
    assert service.shelf.look() == ()
    assert not service.registry.knows("there")
