import asyncio

from inference_chat.cache import ResultCache
from inference_chat.events import Finished, Result

RESULT = Result(texts=("hi",), tokens=((),), finished=Finished())


async def ask(cache: ResultCache, key: str) -> bool:
    """Whether it was there; keeps it if not."""
    async with cache.entry(key) as slot:
        there = slot.result is not None
        await asyncio.sleep(0)
        if not there:
            cache.keep(slot, RESULT)
        return there


async def test_the_same_request_runs_once():
    cache = ResultCache(10, 60)
    assert sorted(await asyncio.gather(*(ask(cache, "a") for _ in range(5)))) == [False] + [True] * 4
    assert cache.stats() | {"bytes": 0} == {
        "hits": 4, "misses": 1, "hit_rate": 0.8, "size": 1, "max_size": 10, "ttl_seconds": 60,
        "evictions": 0, "bytes": 0,
    }  # fmt: skip


async def test_a_failed_first_lets_the_next_compute():
    cache = ResultCache(10, 60)
    async with cache.entry("a"):
        pass
    assert not await ask(cache, "a")


async def test_results_expire():
    time = [0.0]
    cache = ResultCache(10, 60, lambda: time[0])
    await ask(cache, "a")
    time[0] = 60.0
    cache.clean()
    assert cache.stats()["bytes"] == 0
    assert not await ask(cache, "a")


async def test_the_least_recently_used_leaves():
    cache = ResultCache(2, 60)
    for key in "abac":
        await ask(cache, key)
    assert cache.stats()["evictions"] == 1
    assert cache.stats()["size"] == 2
    assert await ask(cache, "a")


async def test_size_zero_keeps_nothing():
    cache = ResultCache(0, 60)
    assert not await ask(cache, "a")
    assert not await ask(cache, "a")


async def test_clear_forgets():
    cache = ResultCache(10, 60)
    await ask(cache, "a")
    cache.clear()
    assert cache.stats()["size"] == cache.stats()["misses"] == 0
