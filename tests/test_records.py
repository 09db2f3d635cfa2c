from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from inference_chat.database import open_database
from inference_chat.errors import StorageFailed
from inference_chat.records import Records, Run, percentiles
from inference_chat.schema import now
from inference_chat.slots import SLOT, slot_of, slots

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


def test_a_noted_run_is_seen_by_whoever_reads_next(records: Records):
    for number in range(20):
        records.note(run())
        assert records.metrics("m@1")["requests"] == number + 1
    records.note(run())
    assert records.stats()["tasks"]["text-generation"]["requests"] == 21
    records.note(run())
    assert len(records.recent()) == 22


def test_noted_runs_are_stored_by_themselves_and_by_closing(tmp_path: Path):
    url = f"sqlite:{tmp_path / 'runs.db'}"
    records = Records(url)
    for _ in range(500):
        records.note(run())
    records.close()
    again = Records(url)
    assert again.metrics("m@1")["requests"] == 500
    again.close()


def test_runs_that_cannot_be_stored_are_stored_later(records: Records, monkeypatch: pytest.MonkeyPatch):
    def full(rows: object) -> None:
        raise StorageFailed("The disk is full.")

    with monkeypatch.context() as disk:
        disk.setattr(records, "_store", full)
        records.note(run(total_ms=1))
        with pytest.raises(StorageFailed):
            records.add(run(total_ms=2))
        assert records.metrics("m@1")["requests"] == 0
    assert [item.total_ms for item in records.recent()] == [2, 1]


def test_figures_that_are_remembered_follow_each_run(records: Records):
    for total in (1, 3):
        records.add(run(total_ms=total))
        records.add(run("other@1"))
        found = records.figures(["m@1", "other@1", "never@1"])
        assert found["m@1"] == records.stats()["models"]["m@1"]
        assert found["never@1"]["requests"] == 0
    assert records.figures(["m@1"])["m@1"]["latency_ms_p50"] == 2


def test_a_series_has_what_happened_when(records: Records):
    early, late = slot_of(now()) - 5 * SLOT, slot_of(now())
    records.add(run(started_at=early, completion_tokens=11, decode_ms=100, total_ms=110))
    records.add(run(started_at=late, error="timeout"))
    records.add(run(started_at=early - timedelta(days=9)))
    series = records.series(timedelta(hours=1), 12)
    assert [(point["requests"], point["errors"]) for point in series][-6:] == [(1, 0), *[(0, 0)] * 4, (1, 1)]
    assert (series[-6]["tokens"], series[-6]["latency_ms"], series[-6]["tokens_per_second"]) == (11, 110, 100)
    assert series[-6]["at"] == early.isoformat()


@pytest.mark.parametrize(
    ("hours", "points", "steps"), [(1, 60, 12), (24, 24, 24), (24 * 7, 28, 28), (1, 1, 1)]
)
def test_a_series_covers_its_window(records: Records, hours: int, points: int, steps: int):
    records.add(run())
    series = records.series(timedelta(hours=hours), points)
    assert len(series) == steps
    assert sum(point["requests"] for point in series) == 1
    assert series[-1]["requests"] == 1


def test_runs_from_before_there_were_sums_are_added_up(tmp_path: Path):
    database = open_database(f"sqlite:{tmp_path / 'runs.db'}")
    Records(database).add(run(total_ms=5))
    with database.write() as connection:
        connection.execute(delete(slots))
    assert Records(database).metrics("m@1")["requests"] == 1
    database.close()


def test_failures_are_told_by_kind_and_one_by_one(records: Records):
    for _ in range(2):
        records.add(run(error="timeout", total_ms=3))
    records.add(run("bad@1", error="model_failed"))
    records.add(run("bad@1", error="model_failed", started_at=now() - timedelta(hours=3)))
    records.add(run())
    found = records.failures(timedelta(hours=1))
    assert [(kind["error"], kind["model"], kind["count"]) for kind in found["kinds"]] == [
        ("timeout", "m@1", 2),
        ("model_failed", "bad@1", 1),
    ]
    assert [one["error"] for one in found["newest"]] == ["model_failed", "timeout", "timeout"]
    assert found["newest"][0]["started_at"] == found["kinds"][1]["last_at"]
    assert len(records.failures(timedelta(hours=1), newest=1)["newest"]) == 1
