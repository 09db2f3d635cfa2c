"""The service's figures in Prometheus' text format."""

from collections.abc import Iterable, Iterator
from itertools import islice

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from ..schema import JSON

__all__ = ["CONTENT_TYPE", "exposition"]
MOST_MODELS = 200
"""So many models have series of their own, those used last; the series of tasks have all runs in them."""
QUANTILES = {"0.5": "latency_ms_p50", "0.95": "latency_ms_p95", "0.99": "latency_ms_p99"}


class StatsCollector(Collector):
    """One reading of `Service.stats()` as metric families."""

    def __init__(self, stats: JSON) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        """All families."""
        yield from _runs(self._stats["models"])
        yield from _tasks(self._stats["tasks"])
        yield from _gauges(self._stats)
        yield from _cache(self._stats["cache"])


def exposition(stats: JSON) -> bytes:
    """The page that Prometheus reads; durations are in seconds, sizes in bytes."""
    registry = CollectorRegistry()
    registry.register(StatsCollector(stats))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _runs(models: JSON) -> Iterator[Metric]:
    requests = CounterMetricFamily("inference_requests", "Requests of a model.", labels=["model"])
    errors = CounterMetricFamily("inference_errors", "Requests that failed.", labels=["model"])
    speed = GaugeMetricFamily("inference_tokens_per_second", "Speed of decoding.", labels=["model"])
    latency = GaugeMetricFamily(
        "inference_latency_seconds", "Whole time of a request.", labels=["model", "quantile"]
    )
    for model, figures in islice(models.items(), MOST_MODELS):
        requests.add_metric([model], figures["requests"])
        errors.add_metric([model], figures["errors"])
        if figures["tokens_per_second"] is not None:
            speed.add_metric([model], figures["tokens_per_second"])
        for quantile, name in QUANTILES.items():
            if figures.get(name) is not None:
                latency.add_metric([model, quantile], figures[name] / 1000)
    yield from (requests, errors, speed, latency)


def _tasks(tasks: JSON) -> Iterator[Metric]:
    requests = CounterMetricFamily("inference_task_requests", "Requests for a task.", labels=["task"])
    errors = CounterMetricFamily("inference_task_errors", "Those that failed.", labels=["task"])
    latency = GaugeMetricFamily(
        "inference_task_latency_seconds", "Whole time of a request.", labels=["task", "quantile"]
    )
    for task, figures in tasks.items():
        requests.add_metric([task], figures["requests"])
        errors.add_metric([task], figures["errors"])
        for quantile, name in QUANTILES.items():
            if figures.get(name) is not None:
                latency.add_metric([task, quantile], figures[name] / 1000)
    yield from (requests, errors, latency)


def _gauges(stats: JSON) -> Iterator[Metric]:
    queue = GaugeMetricFamily("inference_jobs", "Requests at this moment.", labels=["state"])
    for state, count in stats["queue"].items():
        queue.add_metric([state], count)
    memory = GaugeMetricFamily("inference_model_memory_bytes", "Memory of loaded models.", labels=["model"])
    for model, size in stats["memory"]["models"].items():
        memory.add_metric([model], size)
    limit = stats["memory"]["limit"]
    yield from (queue, memory)
    yield GaugeMetricFamily("inference_memory_limit_bytes", "Memory for all models.", value=limit)


def _cache(cache: JSON) -> Iterator[Metric]:
    yield CounterMetricFamily("inference_cache_hits", "Answers taken from the cache.", value=cache["hits"])
    yield CounterMetricFamily("inference_cache_misses", "Answers computed.", value=cache["misses"])
    yield GaugeMetricFamily("inference_cache_entries", "Kept answers.", value=cache["size"])
    yield GaugeMetricFamily("inference_cache_bytes", "Memory of kept answers.", value=cache["bytes"])
