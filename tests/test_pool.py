import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from inference_chat import pool as pools
from inference_chat import runners
from inference_chat.errors import InferenceChatError, InvalidModel, ModelBusy, ModelFailed, OutOfMemory
from inference_chat.pool import Pool
from inference_chat.registry.registry import ModelRecord
from inference_chat.runners.checkpoint import inspect
from tests.fakes import FAMILIES, EchoRunner
from tests.server import settings


@pytest.fixture(autouse=True)
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    monkeypatch.setattr(EchoRunner, "history", [])
    monkeypatch.setattr(EchoRunner, "failures", [])


def model(name: str, **more: Any) -> ModelRecord:
    return ModelRecord(name=name, version="1", **more)


@asynccontextmanager
async def opened(tmp_path: Path, folder: Path, **more: Any) -> AsyncIterator[Pool]:
    pool = Pool(settings(tmp_path, device="cpu", **more), lambda record: inspect(folder))
    yield pool
    await pool.close()


async def test_many_leases_are_one_load(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama) as pool:
        await asyncio.gather(*(pool.load(model("a")) for _ in range(5)))
        assert len(EchoRunner.history) == 1
        assert pool.status("a@1") == "loaded"


async def test_the_least_recently_used_idle_model_leaves(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama, max_loaded_models=2) as pool, pool.lease(model("a")):
        await pool.load(model("b"))
        await pool.load(model("c"))
        assert set(pool.memory()) == {"a@1", "c@1"}


async def test_a_load_waits_for_room(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama, max_loaded_models=1) as pool:
        async with pool.lease(model("a")):
            waiting = asyncio.create_task(pool.load(model("b")))
            await asyncio.wait([waiting], timeout=0.05)
            assert not waiting.done()
        await waiting
        assert set(pool.memory()) == {"b@1"}


async def test_a_model_too_large_drives_nobody_out(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama, memory_limit_mb=64) as pool:
        await pool.load(model("a"))
        with pytest.raises(OutOfMemory, match=r"100 MiB.*64 MiB"):
            await pool.load(model("big", memory_used=100 << 20))
        assert set(pool.memory()) == {"a@1"}
        assert pool.status("big@1") == "failed"


async def test_more_than_the_machine_could_free(tmp_path: Path, tiny_llama: Path, monkeypatch):
    async with opened(tmp_path, tiny_llama) as pool:
        await pool.load(model("a"))
        monkeypatch.setattr(pools, "memory_free", lambda: 0)
        with pytest.raises(OutOfMemory, match="could free"):
            await pool.load(model("big", memory_used=1 << 30))
        assert set(pool.memory()) == {"a@1"}


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (InvalidModel("not so"), InvalidModel),
        (RuntimeError("/secret"), ModelFailed),
        (MemoryError(), OutOfMemory),
        (KeyboardInterrupt(), ModelFailed),
    ],
)
async def test_a_failed_load_leaves_nothing(
    tmp_path: Path, tiny_llama: Path, raised: BaseException, told: type[InferenceChatError]
):
    async with opened(tmp_path, tiny_llama) as pool:
        EchoRunner.failures.append(raised)
        with pytest.raises(told) as error:
            await pool.load(model("a"))
        assert (pool.status("a@1"), pool.error("a@1"), pool.memory()) == ("failed", error.value.detail, {})
        assert "secret" not in error.value.detail
        await pool.load(model("a"))
        assert (pool.status("a@1"), pool.error("a@1")) == ("loaded", None)


async def test_idle_time_counts_from_the_last_lease(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama, model_timeout_seconds=100) as pool:
        async with pool.lease(model("a")):
            await pool.unload_idle(now=1e12)
            assert pool.status("a@1") == "loaded"
        await pool.unload_idle()
        assert pool.status("a@1") == "loaded"
        await pool.unload_idle(now=1e12)
        assert pool.status("a@1") == "available"


async def test_a_model_leased_while_others_leave_stays(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama) as pool:
        await pool.load(model("a"))
        await pool.load(model("b"))
        leaving = asyncio.create_task(pool.unload_idle(now=1e12))
        await asyncio.sleep(0)
        async with pool.lease(model("b")):
            await leaving
            assert set(pool.memory()) == {"b@1"}


async def test_unload_frees_the_weights_and_refuses_while_used(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama) as pool:
        async with pool.lease(model("a")) as lease:
            assert isinstance(lease.runner, EchoRunner)
            weights = weakref.ref(lease.runner.weights)
            with pytest.raises(ModelBusy):
                await pool.unload("a@1")
        del lease
        await pool.unload("a@1")
        gc.collect()
        assert weights() is None
        await pool.unload("a@1")


async def test_a_lease_while_it_unloads_loads_again(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama) as pool:
        await pool.load(model("a"))
        leaving = asyncio.create_task(pool.unload("a@1"))
        await asyncio.sleep(0)
        assert pool.status("a@1") == "unloading"
        await pool.load(model("a"))
        await leaving
        assert [line.split()[0] for line in EchoRunner.history] == ["load", "unload", "load"]


async def test_a_cancelled_lease_leaves_the_load_to_others(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama) as pool:
        first, second = (asyncio.create_task(pool.load(model("a"))) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert len(EchoRunner.history) == 1
        assert pool.status("a@1") == "loaded"


async def test_a_cancelled_unload_goes_on(tmp_path: Path, tiny_llama: Path):
    async with opened(tmp_path, tiny_llama) as pool:
        await pool.load(model("a"))
        leaving = asyncio.create_task(pool.unload("a@1"))
        await asyncio.sleep(0)
        leaving.cancel()
        await pool.load(model("a"))
        assert pool.status("a@1") == "loaded"
