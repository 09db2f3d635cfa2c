"""How models come and go: `python -m tests.bench.bench_memory [switches] [MiB]`.

A model of so many MiB is unloaded and loaded again, then parked and asked again; and small ones take
turns in one place, so often that what is left behind by any switch would be seen.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from inference_chat.registry.registry import ModelRecord
from inference_chat.runners.device import memory_used
from inference_chat.service import Service
from tests import tiny
from tests.fakes import ANNE
from tests.server import settings

from .report import section

MIB = 1 << 20
WIDTH = 1024
LAYER = 10_487_808
"""Parameters of a layer of that width, as `tiny.build` makes it."""
RUNS = 3


async def answer(service: Service, name: str) -> float:
    """Seconds until one token is there."""
    began = time.perf_counter()
    job = await service.infer(ANNE, group="text", model=name, prompt="hi", parameters={"max_tokens": 1})
    await job.result()
    return time.perf_counter() - began


async def coming_back(service: Service, folder: Path) -> list[str]:
    """What it takes to come back for the model in `folder`, which is named by its kind of numbers."""
    name = folder.name
    id = (await service.models.register({"name": name, "file_path": str(folder)}))["id"]
    await answer(service, name)
    times: dict[str, list[float]] = {"in memory": [], "parked": [], "unloaded": []}
    freed: list[int] = []
    for _ in range(RUNS):
        times["in memory"].append(await answer(service, name))
        held = memory_used()
        await service.pool.unload_idle(now=1e12)
        assert service.pool.parked(id)
        freed.append(held - memory_used())
        times["parked"].append(await answer(service, name))
        await settled(service, id)
        await service.models.unload(name)
        times["unloaded"].append(await answer(service, name))
    size = service.registry.get(name).file_size
    await service.models.unload(name)
    rows = [f"| {state} | {statistics.median(taken):.2f} |" for state, taken in times.items()]
    head = (
        f"A model of {size // MIB:,} MiB, {name}; seconds to one token, median of {RUNS}, in turn. "
        f"Parking gives back {statistics.median(freed) // MIB:,.0f} MiB.\n"
    )
    return [head, "| before | s |", "|---|---|", *rows, ""]


async def settled(service: Service, id: str) -> None:
    """Wait until a model that came back is packed again."""
    if task := service.pool._entries[id].settling:
        await task


async def switching(service: Service, folders: list[Path], switches: int) -> list[str]:
    names = [f"small-{number}" for number in range(len(folders))]
    for name, folder in zip(names, folders, strict=True):
        service.registry.put(ModelRecord(name=name, file_path=str(folder), tasks=("text-generation",)))
        await answer(service, name)
    seen = []
    for number in range(switches):
        await answer(service, names[number % len(names)])
        seen.append(memory_used() // MIB)
    first, last = statistics.median(seen[:10]), statistics.median(seen[-10:])
    size = folder_size(folders[0]) // MIB
    return [
        f"{switches} switches between {len(names)} models of {size} MiB in one place, each with an answer: "
        f"{first:.0f} MiB of the process over the first ten, {last:.0f} over the last ten."
    ]


def folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


async def main(switches: int, mebibytes: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        large = []
        for dtype, size in (("float32", 4), ("bfloat16", 2)):
            layers = max(1, mebibytes * MIB // (size * LAYER))
            large.append(tiny.card(tiny.build(place / dtype, width=WIDTH, layers=layers, dtype=dtype)))
        small = [tiny.card(tiny.build(place / f"small-{one}", width=512, layers=6)) for one in range(3)]
        service = Service(settings(place, memory_limit_mb=16_384, max_loaded_models=1))
        await service.pool.warm()
        lines = [line for folder in large for line in await coming_back(service, folder)]
        lines += await switching(service, small, switches)
        await service.stop()
    section("Memory", "\n".join(lines))


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    asyncio.run(main(*(given + [50, 2048][len(given) :])))
