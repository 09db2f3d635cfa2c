from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inference_chat import overview
from inference_chat.records import Run
from inference_chat.schema import now
from inference_chat.service import Service

from .server import settings


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    made = Service(settings(tmp_path))
    yield made
    await made.stop()


def run(**fields) -> Run:
    return Run(model="m@1", task="text-generation", started_at=now(), **fields)


async def test_a_window_has_totals_steps_and_what_went_wrong(service: Service):
    for fields in ({"cached": True}, {"error": "timeout"}, {}):
        service.records.add(run(**fields))
    figures = await service.stats("day")
    assert figures["totals"] == {"requests": 3, "errors": 1, "cached": 1}
    assert (len(figures["series"]), figures["step_seconds"]) == (48, 1800)
    assert figures["series"][-1]["requests"] == 3
    assert figures["failures"]["kinds"][0]["error"] == "timeout"
    assert figures["queue"] == {"running": 0, "waiting": 0}


async def test_figures_are_computed_again_only_when_something_has_run(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(overview, "FRESH", 1e9)
    assert (await service.stats("hour"))["totals"]["requests"] == 0
    service.records.add(run())
    assert (await service.stats("hour"))["totals"]["requests"] == 0
    monkeypatch.setattr(overview, "FRESH", 0)
    seen = await service.stats("hour")
    assert seen["totals"]["requests"] == 1
    assert (await service.stats("hour"))["series"] is seen["series"]


async def test_a_run_that_ends_while_figures_are_computed_is_in_the_next(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    failures = service.records.failures

    def late(*given: Any) -> Any:
        monkeypatch.setattr(service.records, "failures", failures)
        service.records.add(run())
        service.records.flush()
        return failures(*given)

    monkeypatch.setattr(overview, "FRESH", 0)
    monkeypatch.setattr(service.records, "failures", late)
    assert (await service.stats("hour"))["totals"]["requests"] == 0
    assert (await service.stats("hour"))["totals"]["requests"] == 1
