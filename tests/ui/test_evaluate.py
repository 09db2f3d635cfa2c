"""What an evaluation looks like on the page that follows it."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference_chat import runners
from inference_chat.evaluating.evaluations import Asked
from inference_chat.ui.evaluate import _Panel
from tests.fakes import FAMILIES, running
from tests.server import one_model


async def test_another_evaluation_takes_the_view(
    tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    (tmp_path / "set.jsonl").write_text(json.dumps({"prompt": "for ever", "answer": "x"}))
    page: Any = SimpleNamespace(session_hash="page")
    async with running(tmp_path, one_model(tmp_path / "models", tiny_llama)) as service, asyncio.timeout(20):
        chosen = service.evaluations.sets.keep(tmp_path / "set.jsonl", "set.jsonl")
        asked = Asked(models=(tiny_llama.name,), set=chosen)
        first, second = [(await service.evaluations.start(asked))["id"] for _ in range(2)]
        panel = _Panel(service)
        before, after = panel._followed(page, first), panel._followed(page, second)
        assert (await anext(before))[1]["id"] == first
        assert (await anext(after))[1]["id"] == second
        with pytest.raises(StopAsyncIteration):
            await anext(before)
        for id in (second, first):
            await service.evaluations.cancel(id)
        assert "Stopped" in [values async for values in after][-1][0]
