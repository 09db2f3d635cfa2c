"""What the Compare view asks of the server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inference_chat.access import Caller
from inference_chat.comparing.votes import Votes
from inference_chat.errors import InvalidRequest, StorageFailed
from inference_chat.service import Service
from inference_chat.ui.comparing import Page, begin, finished
from tests import tiny
from tests.server import settings

WHO = Caller(owner="somebody", address="127.0.0.1")


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    for seed, name in enumerate(("one", "two")):
        tiny.card(tiny.build(tmp_path / "models" / name, seed=seed), name=name)
    made = Service(settings(tmp_path, tmp_path / "models"))
    made.models.register_cards(tmp_path / "models")
    yield made
    await made.stop()


async def shown(page: Page, service: Service) -> str:
    """The id of a comparison that can be voted on."""
    asked = {"prompt": "Hello", "parameters": {"max_tokens": 4, "temperature": 0}}
    comparison = await service.compare(WHO, ["one", "two"], asked)
    await finished(begin(page, comparison, blind=True))
    return comparison.id


async def test_of_two_votes_at_once_one_counts(service: Service):
    page = Page(service)
    id = await shown(page, service)
    votes = (page.vote(WHO, id=id, verdict="tie") for _ in range(2))
    kept, refused = await asyncio.gather(*votes, return_exceptions=True)
    assert isinstance(kept, dict)
    assert isinstance(refused, InvalidRequest)
    assert service.votes.count() == 1


async def test_a_vote_that_could_not_be_kept_can_be_given_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any) -> None:
        raise StorageFailed("The disk is full.")

    page = Page(service)
    id = await shown(page, service)
    with monkeypatch.context() as patch:
        patch.setattr(Votes, "add", full)
        with pytest.raises(StorageFailed):
            await page.vote(WHO, id=id, verdict="tie")
    assert await page.vote(WHO, id=id, verdict="tie")
    assert service.votes.count() == 1
