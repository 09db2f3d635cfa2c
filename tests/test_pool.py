import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from safetensors.numpy import save_file

from inference_chat import pool as pools
from inference_chat import runners
from inference_chat.errors import InferenceChatError, InvalidModel, ModelBusy, ModelFailed, OutOfMemory
from inference_chat.pool import Pool
from inference_chat.registry.registry import ModelRecord
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import memory_used
from inference_chat.tasks import Task
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


class MappedRunner(EchoRunner):
    """Its weights are shown from their file, as transformers shows those that need no conversion."""

    def load(self) -> None:
        (file,) = self.checkpoint.files
        self.content = np.memmap(file, dtype=np.uint8, mode="c" if self.spoil else "r")
        self.total = int(self.content.sum())
        if self.spoil:
            self.content[-1] += 1

    spoil = False

    def unload(self) -> None:
        del self.content


class SpoiltRunner(MappedRunner):
    """Changes its weights in memory, so that they cannot be had from the file again."""

    spoil = True


class ImportingRunner(EchoRunner):
    """What it imports takes 64 MiB, and stays."""

    imported: ClassVar[list[bytes]] = []

    def imports(self) -> None:
        self.imported.append(b"1" * (64 << 20))


async def test_what_a_model_imports_is_not_its_memory(tmp_path: Path, tiny_llama: Path, monkeypatch):
    mapped_by(ImportingRunner, monkeypatch)
    async with opened(tmp_path, tiny_llama) as pool:
        await pool.load(model("a"))
        assert len(ImportingRunner.imported.pop()) == 64 << 20
        assert pool.memory()["a@1"] < 32 << 20


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A model of 64 MiB, enough to be seen in the memory of the process."""
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["LargeForCausalLM"], "model_type": "llama"}')
    save_file({"w": np.ones(1 << 24, np.float32)}, folder / "model.safetensors")
    return folder


def mapped_by(kind: type[EchoRunner], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "FAMILIES", (runners.Family("", kind, (Task.TEXT_GENERATION,)),))


async def test_an_idle_model_that_is_mapped_is_parked_and_comes_back(
    tmp_path: Path, large: Path, monkeypatch
):
    mapped_by(MappedRunner, monkeypatch)
    async with opened(tmp_path, large) as pool:
        await pool.load(model("a"))
        held, used = pool.memory()["a@1"], memory_used()
        await pool.unload_idle(now=1e12)
        assert (pool.status("a@1"), pool.parked("a@1"), pool.memory()) == ("available", True, {})
        assert memory_used() < used - (48 << 20)
        async with pool.lease(model("a")) as lease:
            assert isinstance(lease.runner, MappedRunner)
            assert int(lease.runner.content.sum()) == lease.runner.total
            assert (lease.memory, pool.memory()["a@1"], pool.parked("a@1")) == (held, held, False)
        assert pool.status("a@1") == "loaded"


async def test_weights_that_were_changed_in_memory_are_unloaded(tmp_path: Path, large: Path, monkeypatch):
    mapped_by(SpoiltRunner, monkeypatch)
    async with opened(tmp_path, large) as pool:
        await pool.load(model("a"))
        await pool.unload_idle(now=1e12)
        assert (pool.status("a@1"), pool.parked("a@1")) == ("available", False)


async def test_a_parked_model_that_is_unloaded_is_gone(tmp_path: Path, large: Path, monkeypatch):
    mapped_by(MappedRunner, monkeypatch)
    async with opened(tmp_path, large) as pool:
        async with pool.lease(model("a")) as lease:
            kept = weakref.ref(lease.runner)
        del lease
        await pool.unload_idle(now=1e12)
        await pool.unload("a@1")
        gc.collect()
        assert (kept(), pool.parked("a@1")) == (None, False)


async def test_switching_parks_and_only_so_many_stay_parked(tmp_path: Path, large: Path, monkeypatch):
    mapped_by(MappedRunner, monkeypatch)
    async with opened(tmp_path, large, max_loaded_models=1) as pool:
        for name in "abc":
            await pool.load(model(name))
        assert list(pool.memory()) == ["c@1"]
        assert [pool.parked(f"{name}@1") for name in "abc"] == [False, True, False]
        await pool.load(model("b"))
        assert (list(pool.memory()), pool.parked("c@1")) == (["b@1"], True)


async def test_a_model_that_cannot_come_back_stays_parked(tmp_path: Path, large: Path, monkeypatch):
    mapped_by(MappedRunner, monkeypatch)
    async with opened(tmp_path, large, max_loaded_models=1) as pool:
        await pool.load(model("a"))
        await pool.load(model("b"))
        monkeypatch.setattr(pools, "WAIT_FOR_ROOM", 0.05)
        async with pool.lease(model("b")):
            with pytest.raises(OutOfMemory):
                await pool.load(model("a"))
            assert pool.parked("a@1")
        await pool.load(model("a"))
        assert list(pool.memory()) == ["a@1"]
