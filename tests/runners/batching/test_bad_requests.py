"""A request that cannot be done fails alone, with one end; whoever writes beside it notices nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference_chat.errors import InferenceChatError, InvalidRequest, ModelFailed, TooLarge
from inference_chat.events import Finished
from inference_chat.service import Service
from tests.fakes import ANNE, running
from tests.runners.models import user
from tests.server import one_model
from tests.tiny import build

LONG: dict[str, Any] = {"temperature": 0, "max_tokens": 80}
BROKEN = "~"
"""Its token's numbers are not finite."""
IMPOSSIBLE = {"type": "object", "properties": {"a": {"type": "string", "minLength": 9, "maxLength": 1}}}
STOPS = [str(number) for number in range(10_000)]
BAD: dict[str, tuple[dict[str, Any], type[InferenceChatError]]] = {
    "too long": ({"prompt": "x" * 2000}, TooLarge),
    "last message too long": ({"messages": [user("x" * 2000)]}, TooLarge),
    "no such token": ({"prompt_ids": [5, 10**6]}, InvalidRequest),
    "token below zero": ({"prompt_ids": [5, -1]}, InvalidRequest),
    "not finite": ({"prompt": f"a{BROKEN}b"}, ModelFailed),
    "10,000 stops": (
        {"prompt": "a", "parameters": {"stop": STOPS}},
        InvalidRequest,
    ),
    "long stop": ({"prompt": "a", "parameters": {"stop": "x" * 10_000}}, InvalidRequest),
    "impossible schema": (
        {
            "prompt": "a",
            "parameters": {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "none", "schema": IMPOSSIBLE | {"required": ["a"]}},
                }
            },
        },
        InvalidRequest,
    ),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of which one token is broken."""
    from transformers import AutoTokenizer

    folder = build(tmp_path_factory.mktemp("bad") / "tiny-llama")
    (token,) = AutoTokenizer.from_pretrained(folder)(BROKEN)["input_ids"]
    file = folder / "model.safetensors"
    weights = load_file(file)
    weights["model.embed_tokens.weight"][token] = float("nan")
    save_file(weights, file, {"format": "pt"})
    return folder


@pytest.fixture
async def service(tmp_path: Path, model: Path) -> AsyncIterator[Service]:
    async with running(tmp_path, one_model(tmp_path / "models", model), device="cpu") as service:
        yield service


async def ends(service: Service, asked: dict[str, Any]) -> list[Exception | Finished]:
    """How a request ended, refused at once or later."""
    try:
        job = await service.infer(ANNE, use_cache=False, **asked)
    except InferenceChatError as error:
        return [error]
    found: list[Exception | Finished] = []
    try:
        async for _, event in job.watch():
            if isinstance(event, Finished):
                found.append(event)
    except InferenceChatError as error:
        found.append(error)
    return found


@pytest.mark.parametrize("name", BAD)
async def test_it_fails_alone(service: Service, name: str):
    asked, kind = BAD[name]
    alone = await (await service.infer(ANNE, prompt="Hello", parameters=LONG, use_cache=False)).result()
    good = await service.infer(ANNE, prompt="Hello", parameters=LONG, use_cache=False)
    async with aclosing(good.watch()) as events:
        async for _ in events:
            if good.text():
                break
    ended = await asyncio.gather(*(ends(service, asked) for _ in range(3)))
    assert [[type(end) for end in each] for each in ended] == [[kind]] * 3
    assert (await good.result()).texts == alone.texts
    assert service.jobs.counts[1] == 0
    again = await (await service.infer(ANNE, prompt="Hello", parameters=LONG, use_cache=False)).result()
    assert again.texts == alone.texts


def test_the_broken_token_is_broken(model: Path):
    weights = load_file(model / "model.safetensors")["model.embed_tokens.weight"]
    assert int((~torch.isfinite(weights)).any(-1).sum()) == 1
