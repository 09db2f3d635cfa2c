import asyncio
from pathlib import Path

import pytest

from inference_chat import runners, service
from inference_chat.errors import InvalidRequest, ModelNotFound, RateLimited
from inference_chat.pool import Pool
from inference_chat.service import Service
from tests import tiny
from tests.fakes import ANNE, BERT, FAMILIES, running
from tests.server import one_model, settings


async def test_two_services_one_after_another(tmp_path: Path, tiny_llama: Path):
    models = one_model(tmp_path / "models", tiny_llama)
    for _ in range(2):
        async with running(tmp_path, models) as service:
            await service.models.load("tiny-llama")
            assert service.ready() == (True, "tiny-llama@1.0.0 is loaded")
            assert service.notices == ()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The warm-up begins at once, and loads nothing until this is set."""
    event, warm = asyncio.Event(), Pool.warm

    async def held(self: Pool) -> None:
        await event.wait()
        await warm(self)

    monkeypatch.setattr(service, "WARM_UP_DELAY", 0)
    monkeypatch.setattr(Pool, "warm", held)
    return event


async def test_it_is_ready_once_the_default_model_was_loaded(
    tmp_path: Path, tiny_llama: Path, asked: asyncio.Event
):
    async with running(tmp_path, one_model(tmp_path / "models", tiny_llama)) as running_service:
        assert not running_service.ready()[0]
        asked.set()
        await running_service._tasks[0]
        assert running_service.ready()[0]
        await running_service.models.unload("tiny-llama")
        assert running_service.ready() == (True, "tiny-llama@1.0.0 is available")


async def test_it_is_not_ready_when_the_default_model_cannot_be_loaded(tmp_path: Path, asked: asyncio.Event):
    folder = tiny.card(tiny.build(tmp_path / "models" / "cut"), name="cut")
    async with running(tmp_path, tmp_path / "models", memory_limit_mb=64) as small:
        small.registry.update("cut@1.0.0", memory_estimate=1 << 40)
        assert "MEMORY_LIMIT_MB" in small.ready()[1]
    (folder / "model.safetensors").write_bytes(b"nothing")
    asked.set()
    async with running(tmp_path, tmp_path / "models") as broken:
        await broken._tasks[0]
        ready, why = broken.ready()
        assert not ready
        assert "could not be loaded" in why


async def test_a_stop_ends_what_runs_and_stores_it(tmp_path: Path, tiny_llama: Path, monkeypatch):
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    models = one_model(tmp_path / "models", tiny_llama)
    async with running(tmp_path, models, max_concurrent_inference=2) as service:
        session = (await service.chats.start(ANNE)).id
        turn = await service.chats.send(ANNE, session, "for ever")
        jobs = [await service.infer(ANNE, prompt="for ever") for _ in range(3)]
        async for _, event in turn.watch():
            if event.type == "text":
                break
    assert [job.done for job in (turn.job, *jobs)] == [True] * 4
    async with running(tmp_path, models) as service:
        reply = (await service.chats.path(ANNE, session))[-1]
        assert (reply.status, reply.text[:3]) == ("cancelled", "on ")
        assert len(service.records.recent()) >= 2


async def test_without_a_model_it_is_not_ready(tmp_path: Path):
    async with running(tmp_path) as service:
        assert not service.ready()[0]
        with pytest.raises(ModelNotFound):
            await service.infer(ANNE, prompt="hi")


def test_the_rate_is_counted_for_each(tmp_path: Path):
    service = Service(settings(tmp_path, rate_limit="2/hour"))
    for _ in range(2):
        service.admit(ANNE)
    with pytest.raises(RateLimited) as error:
        service.admit(ANNE)
    assert 1 <= error.value.retry_after <= 3600
    service.admit(BERT)


async def test_a_card_with_unknown_parameters_is_told_and_left_out(tmp_path: Path):
    folder = tiny.build(tmp_path / "models" / "odd")
    tiny.card(folder, "odd", inference_chat={"parameters": {"colour": 1}})
    async with running(tmp_path, tmp_path / "models") as service:
        assert "colour" in service.notices[0]
        assert (await service.models.list())[1] == 0


@pytest.mark.parametrize("bad", [{"limit": -1}, {"offset": -1}, {"status": "tired"}, {"sort": "size"}])
async def test_lists_refuse_what_they_cannot_do(tmp_path: Path, bad: dict):
    async with running(tmp_path) as service:
        with pytest.raises(InvalidRequest):
            await service.models.list(**bad)
