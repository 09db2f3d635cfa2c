import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from inference_chat import runners
from inference_chat.errors import DeadlinePassed, ModelFailed, StorageFailed
from inference_chat.events import Event, Finished, Result, TextDelta, Usage
from inference_chat.schema import Request
from inference_chat.service import Service
from tests import tiny
from tests.fakes import ANNE, FAMILIES, EchoRunner, running
from tests.server import one_model

GREEDY = {"temperature": 0, "max_tokens": 8}


@pytest.fixture
async def service(tmp_path: Path, tiny_llama: Path) -> AsyncIterator[Service]:
    async with running(tmp_path, one_model(tmp_path / "models", tiny_llama), device="cpu") as service:
        yield service


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)


async def ask(service: Service, prompt: str = "Hello", **more: Any) -> Result:
    return await (await service.infer(ANNE, prompt=prompt, **more)).result()


async def test_a_repeatable_answer_is_kept_with_its_digest(service: Service, monkeypatch):
    first, again = [await ask(service, parameters=GREEDY) for _ in range(2)]
    assert (first.texts, first.finished.cached, again.finished.cached) == (again.texts, False, True)
    assert not (await ask(service, parameters=GREEDY, use_cache=False)).finished.cached
    service.registry.update("tiny-llama@1.0.0", sha256="0" * 64)
    assert not (await ask(service, parameters=GREEDY)).finished.cached


async def test_an_answer_by_chance_is_not_kept_and_its_receipt_repeats_it(service: Service):
    first = await ask(service, parameters={"temperature": 1, "max_tokens": 12})
    receipt = first.finished.receipt
    assert receipt is not None
    assert receipt.options is not None
    assert (receipt.model, len(receipt.digest or "")) == ("tiny-llama@1.0.0", 64)
    again = await ask(service, parameters=receipt.options.model_dump() | {"seed": receipt.seed})
    assert again.texts == first.texts
    assert service.cache_stats()["hits"] == 0


async def test_a_failure_disturbs_nobody_and_names_no_path(service: Service, echo: None):
    failing = await service.infer(ANNE, prompt="fail")
    fine = await service.infer(ANNE, prompt="one two three")
    with pytest.raises(ModelFailed) as error:
        await failing.result()
    assert "secret" not in error.value.detail
    assert (await fine.result()).text == "one two three "
    assert {run.error for run in service.records.recent()} == {"model_failed", None}


async def test_a_deadline_stops_the_compute(service: Service, echo: None):
    await ask(service, "warm")  # a load that has begun is not stopped
    with pytest.raises(DeadlinePassed):
        await ask(service, "for ever", timeout_ms=100)
    assert service.jobs.counts[1] == 0
    await service.pool.unload("tiny-llama@1.0.0")
    assert service.records.recent()[0].error == "timeout"


async def test_a_model_that_hangs_is_given_up(tmp_path: Path, tiny_llama: Path, echo: None, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(EchoRunner, "run", lambda *_: iter(go.wait, None))
    models = one_model(tmp_path / "models", tiny_llama)
    async with running(tmp_path, models, inference_timeout_ms=20) as service:
        with pytest.raises(DeadlinePassed, match="raise INFERENCE_TIMEOUT_MS"):
            await ask(service)
        go.set()


async def test_the_pace_is_that_of_the_model_however_late_it_is_heard(
    service: Service, echo: None, monkeypatch
):
    made: list[float] = []
    begun = threading.Event()

    def slowly(self: EchoRunner, request: Request, stop: threading.Event) -> Iterator[Event]:
        for _ in range(5):
            time.sleep(0.02)
            made.append(time.monotonic())
            begun.set()
            yield TextDelta(text="word ")
        yield Finished(usage=Usage(prompt_tokens=1, completion_tokens=5))

    monkeypatch.setattr(EchoRunner, "run", slowly)
    job = await service.infer(ANNE, prompt="go")
    await asyncio.to_thread(begun.wait)
    asyncio.get_running_loop().call_soon(time.sleep, 0.5)  # it hears nothing until all is written
    timing = (await job.result()).finished.timing
    assert timing.decode_ms == pytest.approx((made[-1] - made[0]) * 1000, abs=50)


async def test_every_end_is_recorded_once(service: Service, echo: None):
    job = await service.infer(ANNE, prompt="for ever")
    async for _ in job.watch():
        job.cancel()
    assert (await job.result()).finished.finish_reason == "cancelled"
    (run,) = service.records.recent()
    assert run.finish_reason == "cancelled"


async def test_a_cancelled_answer_is_never_kept(service: Service, echo: None):
    job = await service.infer(ANNE, prompt="for ever", parameters=GREEDY)
    async for _ in job.watch():
        job.cancel()
    assert service.cache_stats()["size"] == 0


async def test_a_full_disk_does_not_lose_the_answer(service: Service, echo: None, monkeypatch):
    def full(rows: object) -> None:
        raise StorageFailed("The disk is full.")

    with monkeypatch.context() as disk:
        disk.setattr(service.records, "_store", full)
        assert (await ask(service, "fine")).text == "fine "
        assert service.records.recent() == []
    assert len(service.records.recent()) == 1


async def test_a_model_that_counts_nonsense_fails_alone(tmp_path: Path, service: Service):
    folder = tiny.build(tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"].fill_(float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    await service.models.register({"name": "nan", "file_path": str(folder)})
    bad, good = [await service.infer(ANNE, prompt="Hello", model=model) for model in ("nan", "tiny-llama")]
    with pytest.raises(ModelFailed):
        await bad.result()
    assert (await good.result()).finished.usage.completion_tokens
    assert service.records.metrics("nan@1.0.0")["errors"] == 1
    assert (await service.models.get("nan"))["status"] == "loaded"
