"""What tabs are made of: the status line, errors in it, a compute that ends with its reader."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from starlette.requests import Request

from inference_chat import runners
from inference_chat.errors import InvalidRequest, RateLimited
from inference_chat.events import Progress
from inference_chat.service import Service
from inference_chat.ui.parts import busy, caller, done, failed, told, working
from tests.fakes import ANNE, FAMILIES, running
from tests.server import one_model


@pytest.fixture
async def service(tmp_path: Path, tiny_llama: Path, monkeypatch) -> AsyncIterator[Service]:
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    models = one_model(tmp_path / "models", tiny_llama)
    async with running(tmp_path, models, rate_limit="1/hour") as service:
        yield service


@pytest.mark.parametrize("say", [done, failed, lambda text: busy(Progress(phase="loading", detail=text))])
def test_a_line_says_words_and_never_markup(say: Any):
    assert "&lt;b&gt;" in say("<b>")
    assert "<b>" not in say("<b>")


def test_a_line_says_phase_share_and_time():
    line = busy(Progress(phase="loading", fraction=0.25, detail="a@1"), 3.2)
    assert 'value="0.250"' in line
    assert "Loading the model · a@1 · 25% · 3 s" in line
    assert "Working · 3 of 9 frames" in busy(Progress(phase="working", done=3, total=9, unit="frames"))


async def said(handler: Any, *given: Any) -> list[Any]:
    return [values async for values in handler(*given)]


async def test_a_refusal_is_the_line_and_leaves_the_rest_alone():
    async def refuse(text: str) -> AsyncIterator[Any]:
        yield done("so far"), 1
        raise InvalidRequest("Give <more>.")

    first, last = await said(told(refuse, others=1), "x")
    assert first[1] == 1
    assert "Give &lt;more&gt;." in last[0]
    assert last[1] == gr.skip()


async def test_the_last_values_undo_nothing():
    """Gradio gives them once more when the run is over, and a visitor may have gone on since."""

    async def answer() -> AsyncIterator[Any]:
        yield done("3 found."), "", "picture"

    assert (await said(told(answer, others=2)))[-1] == (gr.skip(),) * 3


async def test_a_defect_is_told_without_its_words(caplog: pytest.LogCaptureFixture):
    async def broken() -> AsyncIterator[Any]:
        yield done("")
        raise OSError("/secret/place")

    *_, last = await said(told(broken, others=0))
    assert "went wrong" in last
    assert "secret" not in last
    assert "/secret/place" in caplog.text


async def test_a_job_is_told_to_its_end(service: Service):
    job = await service.infer(ANNE, prompt="one two")
    assert [line async for line in working(job)]
    assert (await job.result()).text == "one two "


async def test_a_job_ends_when_its_reader_leaves(service: Service):
    job = await service.infer(ANNE, prompt="for ever")
    lines: Any = working(job)
    await anext(lines)
    await lines.aclose()
    async with asyncio.timeout(5):
        assert (await job.result()).finished.finish_reason == "cancelled"


async def test_every_click_counts_as_a_request(service: Service):
    request: Any = Request({"type": "http", "headers": [], "client": ("127.0.0.1", 1)})
    assert caller(service, request).owner == "everyone"
    with pytest.raises(RateLimited):
        caller(service, request)
