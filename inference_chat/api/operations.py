"""How the server is doing: health, figures, and the result cache."""

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from .. import __version__
from ..overview import Window
from ..schema import JSON
from .dependencies import TheCaller, TheService
from .metrics import CONTENT_TYPE, exposition


class MetricsPage(Response):
    media_type = CONTENT_TYPE


class Health(BaseModel):
    status: str = "ok"
    version: str = __version__


class Readiness(BaseModel):
    ready: bool
    detail: str


class CacheStats(BaseModel):
    """The result cache since the start or the last clearing."""

    model_config = ConfigDict(extra="allow")

    hits: int
    misses: int
    hit_rate: float
    size: int
    max_size: int
    ttl_seconds: float
    evictions: int
    bytes: int


async def healthz() -> Health:
    """The process is up."""
    return Health()


async def readyz(service: TheService) -> JSONResponse:
    """Whether the default model can be served; 503 while it cannot."""
    ready, detail = service.ready()
    return JSONResponse(Readiness(ready=ready, detail=detail).model_dump(), 200 if ready else 503)


async def stats(service: TheService, window: Window | None = None) -> JSON:
    """The figures of every model and task, the queue, memory, and what to know of the start.

    With a `window`, those of the last hour, day or week, with a `series` over time and the `failures`.
    """
    return {**await service.stats(window), "notices": list(service.notices)}


async def metrics(service: TheService) -> MetricsPage:
    """The same figures for Prometheus."""
    return MetricsPage(exposition(await service.stats()))


async def cache_stats(service: TheService) -> CacheStats:
    """How the result cache is doing."""
    return CacheStats.model_validate(service.cache_stats())


async def clear_cache(service: TheService, _caller: TheCaller) -> CacheStats:
    """Forget every kept result."""
    service.clear_cache()
    return CacheStats.model_validate(service.cache_stats())
