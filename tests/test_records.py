from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from inference_chat.records import Records, Run, percentiles
from inference_chat.schema import now

from .databases import KINDS, database_urls


@pytest.fixture(params=KINDS)
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Records]:
    urls = database_urls(tmp_path, request.param)
    opened = Records(next(urls))
    yield opened
    opened.close()
    next(urls, None)


def run(model: str = "m@1", **fields) -> Run:
    return Run(**({"model": model, "task": "text-generation", "started_at": now()} | fields))


def test_runs_come_back_as_they_were_the_newest_first(records: Records):
    first = run(memory_peak=2**40, finish_reason="stop", first_token_ms=1.5)
    second = run(error="timeout", cached=True)
    for item in (first, second):
        records.add(item)
    assert records.recent() == [second, first]
    assert records.recent(1) == [second]


def test_figures_are_told_per_model_and_per_task(records: Records):
    for milliseconds in range(1, 101):
        records.add(run(total_ms=milliseconds, completion_tokens=11, decode_ms=100))
    records.add(run(total_ms=10**6, error="model_failed"))
    records.add(run("other@1", task="translation", total_ms=7))
    stats = records.stats()
    figures = stats["models"]["m@1"]
    assert (figures["requests"], figures["errors"], figures["tokens_per_second"]) == (101, 1, 100)
    assert [round(figures[f"latency_ms_p{p}"], 2) for p in (50, 95, 99)] == [50.5, 95.05, 99.01]
    assert stats["tasks"]["translation"]["latency_ms_p95"] == 7
    assert records.metrics("m@1") == figures
    assert figures["last_used_at"] == records.recent(2)[1].started_at.isoformat()


def test_kept_answers_and_failures_do_not_count_as_speed(records: Records):
    records.add(run(completion_tokens=1000, decode_ms=1, cached=True))
    records.add(run(completion_tokens=1000, decode_ms=1, error="model_failed"))
    records.add(run(completion_tokens=1, decode_ms=0))
    assert records.metrics("m@1")["tokens_per_second"] is None


def test_a_model_that_never_ran_has_figures_too(records: Records):
    figures = records.metrics("new@1")
    assert (figures["requests"], figures["latency_ms_p50"], figures["last_used_at"]) == (0, None, None)


def test_a_window_leaves_out_what_is_older(records: Records):
    records.add(run(started_at=now() - timedelta(hours=2)))
    records.add(run("young@1"))
    assert list(records.stats(timedelta(hours=1))["models"]) == ["young@1"]
    assert len(records.stats()["models"]) == 2


@pytest.mark.parametrize(
    ("values", "expected"), [([], (None, None, None)), ([3.0], (3.0, 3.0, 3.0)), ([1, 2], (1.5, 1.95, 1.99))]
)
def test_percentiles(values, expected):
    assert percentiles(values) == expected
