import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from inference_chat import runners
from inference_chat.chats import unstored
from inference_chat.errors import (
    InvalidRequest,
    Overloaded,
    SessionBusy,
    SessionNotFound,
    StorageFailed,
    TooLarge,
    UnsupportedTask,
)
from inference_chat.media import data_url, image_bytes
from inference_chat.schema import ImagePart, Link, Request, TextPart
from inference_chat.service import Service
from tests.fakes import ANNE, BERT, FAMILIES, running
from tests.server import one_model

SHORT = {"max_tokens": 4, "temperature": 0}


@pytest.fixture
async def service(tmp_path: Path, tiny_llama: Path, monkeypatch) -> AsyncIterator[Service]:
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    models = one_model(tmp_path / "models", tiny_llama)
    async with running(tmp_path, models, max_prompt_chars=1000, max_queued_inference=0) as service:
        yield service


@pytest.fixture
async def session(service: Service) -> str:
    return (await service.chats.start(ANNE)).id


@pytest.fixture
def full_disk(service: Service, monkeypatch) -> Callable[[], AbstractContextManager[None]]:
    """A block in which no reply can be stored at its end; stored replies are tried again often."""
    monkeypatch.setattr(unstored, "RETRY_SECONDS", 0.01)

    def full(*_: object, **__: object) -> None:
        raise StorageFailed("The disk is full.")

    @contextmanager
    def block() -> Iterator[None]:
        with monkeypatch.context() as disk:
            disk.setattr(service.sessions, "finish", full)
            yield

    return block


async def say(service: Service, session: str, text: Any, **more: Any) -> Any:
    return await (await service.chats.send(ANNE, session, text, **more)).finished()


async def test_a_conversation_is_kept_in_order(service: Service, session: str):
    for text in ("one", "two"):
        assert (await say(service, session, text)).status == "complete"
    kept = await service.chats.path(ANNE, session)
    assert [message.text for message in kept] == ["one", "one ", "two", "two "]
    assert (await service.chats.get(ANNE, session)).title == "one"


async def test_edits_and_other_answers_are_branches(service: Service, session: str):
    await say(service, session, "one")
    await (await service.chats.regenerate(ANNE, session)).finished()
    await say(service, session, "uno", parent_id=None)
    user, reply = await service.chats.path(ANNE, session)
    assert (user.text, reply.text, len(user.siblings)) == ("uno", "uno ", 2)
    await service.chats.select(ANNE, session, user.siblings[0])
    assert [len(m.siblings) for m in await service.chats.path(ANNE, session)] == [2, 2]


async def test_one_reply_at_a_time_and_stop_keeps_what_there_is(service: Service, session: str):
    turn = await service.chats.send(ANNE, session, "for ever")
    with pytest.raises(SessionBusy):
        await service.chats.send(ANNE, session, "too soon")
    async for _, event in turn.watch():
        if event.type == "text":
            await service.chats.stop(ANNE, session)
    stored = await turn.finished()
    assert (stored.status, stored.text[:3]) == ("cancelled", "on ")
    assert service.chats.current(session) is None
    assert (await say(service, session, "again")).status == "complete"


async def test_two_at_once_make_one_turn(service: Service, session: str):
    sent = await asyncio.gather(
        *(service.chats.send(ANNE, session, "for ever") for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(one, SessionBusy) for one in sent) == 2
    assert len(await service.chats.path(ANNE, session)) == 2
    await service.chats.stop(ANNE, session)


async def test_a_cut_reply_goes_on_as_the_same_message(service: Service, session: str):
    first = await say(service, session, "one")
    grown = await (await service.chats.go_on(ANNE, session)).finished()
    assert (grown.id, grown.text) == (first.id, "one one  ")


async def test_a_failed_reply_says_so_and_the_conversation_goes_on(service: Service, session: str):
    failed = await say(service, session, "fail")
    assert (failed.status, failed.text, failed.error["code"]) == ("failed", "half", "model_failed")
    assert "secret" not in str(failed.error)
    assert (await say(service, session, "fine")).text == "fine "


async def test_a_full_disk_at_the_end_is_told_and_made_good(service, session, full_disk):
    with full_disk():
        with pytest.raises(StorageFailed):
            await say(service, session, "one")
        assert service.chats.current(session) is None
        reply = (await service.chats.path(ANNE, session))[-1]
    assert (reply.status, reply.text, reply.error["code"]) == ("complete", "one ", "storage_failed")
    assert (await say(service, session, "two")).status == "complete"
    await asyncio.wait([service.chats._unstored._task], timeout=30)
    (kept, _), stored = await service.chats.history(ANNE, session), service.sessions.path(session)
    assert kept == stored
    assert (stored[1].status, stored[1].text, stored[1].error) == ("complete", "one ", None)


async def test_a_disk_that_stays_full_leaves_the_reply_to_the_next_start(tmp_path, service, full_disk):
    session = (await service.chats.start(ANNE)).id
    with full_disk():
        with pytest.raises(StorageFailed):
            await say(service, session, "one")
        await asyncio.sleep(0.05)
        await service.chats.close()
    assert service.sessions.mark_interrupted() == 1


async def test_a_reply_that_was_cleared_meanwhile_is_let_go(service, session, full_disk):
    with full_disk(), pytest.raises(StorageFailed):
        await say(service, session, "one")
    await service.chats.clear(ANNE, session)
    await service.chats.close()
    assert await service.chats.path(ANNE, session) == []


async def test_a_sender_who_leaves_is_still_answered(service: Service, session: str, monkeypatch):
    storing, loop, add_turn = asyncio.Event(), asyncio.get_running_loop(), service.sessions.add_turn

    def told(*arguments: Any, **named: Any) -> Any:
        loop.call_soon_threadsafe(storing.set)
        return add_turn(*arguments, **named)

    monkeypatch.setattr(service.sessions, "add_turn", told)
    sending = asyncio.create_task(service.chats.send(ANNE, session, "one"))
    await storing.wait()
    sending.cancel()
    turns = service.chats.turns(session)
    assert (await (await anext(turns)).finished()).text == "one "
    await turns.aclose()


async def test_a_message_refused_for_overload_leaves_no_trace(service: Service, session: str):
    other = (await service.chats.start(ANNE)).id
    busy = [
        await service.infer(ANNE, prompt="for ever") for _ in range(service.settings.max_concurrent_inference)
    ]
    with pytest.raises(Overloaded):
        await say(service, other, "one")
    assert await service.chats.path(ANNE, other) == []
    for job in busy:
        job.cancel()


async def test_a_reply_that_cannot_start_is_marked_failed(service: Service, session: str, monkeypatch):
    def full(request: object) -> None:
        raise Overloaded("Too many.")

    monkeypatch.setattr(service.jobs, "start", full)
    with pytest.raises(Overloaded):
        await say(service, session, "one")
    assert (await service.chats.path(ANNE, session))[-1].status == "failed"


@pytest.mark.parametrize(
    ("text", "error"),
    [(" \n", InvalidRequest), ("", InvalidRequest), ("x" * 1001, TooLarge), ("\ud800", InvalidRequest)],
)
async def test_bad_messages_leave_no_trace(service, session, text: str, error: type[Exception]):
    with pytest.raises(error):
        await say(service, session, text)
    assert await service.chats.path(ANNE, session) == []


async def test_others_find_nothing(service: Service, session: str):
    chats = service.chats
    await say(service, session, "mine")
    for action in (
        chats.get, chats.delete, chats.restore, chats.clear, chats.path, chats.history, chats.export,
        chats.markdown, chats.stop, chats.regenerate, chats.go_on, chats.update,
    ):  # fmt: skip
        with pytest.raises(SessionNotFound):
            await action(BERT, session)
    with pytest.raises(SessionNotFound):
        await chats.send(BERT, session, "yours?")
    assert await chats.list(BERT) == []


async def test_cleared_deleted_and_brought_back_while_writing(service: Service, session: str):
    await service.chats.send(ANNE, session, "for ever")
    await service.chats.clear(ANNE, session)
    assert await service.chats.path(ANNE, session) == []
    turn = await service.chats.send(ANNE, session, "for ever")
    await service.chats.delete(ANNE, session)
    with pytest.raises(SessionNotFound):
        await service.chats.get(ANNE, session)
    assert (await turn.finished()).status == "cancelled"
    await service.chats.restore(ANNE, session)
    assert len(await service.chats.path(ANNE, session)) == 2


async def test_settings_are_remembered_and_overridden(service: Service):
    session = await service.chats.start(ANNE, settings={"max_tokens": 5, "temperature": 0})
    turn = await service.chats.send(ANNE, session.id, "hi", settings={"max_tokens": 6})
    options = turn.job.request.options.model_dump()
    assert (options["max_tokens"], options["temperature"]) == (6, 0)
    await turn.finished()
    with pytest.raises(InvalidRequest, match="colour"):
        await service.chats.start(ANNE, settings={"colour": 1})


async def test_a_model_that_is_gone_does_not_lock_the_conversation(service: Service):
    session = (await service.chats.start(ANNE, model="tiny-llama")).id
    await service.models.delete("tiny-llama")
    assert (await service.chats.update(ANNE, session, title="New")).title == "New"


async def test_an_export_comes_back(service: Service, session: str):
    await say(service, session, "one")
    loaded = await service.chats.load(BERT, await service.chats.export(ANNE, session))
    assert [m.text for m in await service.chats.path(BERT, loaded.id)] == ["one", "one "]


async def test_a_stop_of_the_service_stores_what_is_written(tmp_path: Path, service: Service, session: str):
    turn = await service.chats.send(ANNE, session, "for ever")
    await service.chats.close()
    assert (await turn.finished()).status == "cancelled"


async def test_models_switch_and_fifty_talk_at_once(tmp_path: Path, tiny_llama: Path):
    async with running(tmp_path / "b", one_model(tmp_path / "models", tiny_llama)) as service:
        await service.models.register({"name": "other", "file_path": str(tiny_llama)})

        async def talk(number: int) -> None:
            session = (await service.chats.start(ANNE, settings=SHORT, system_prompt="Be brief.")).id
            for turn in range(10):
                model = ("tiny-llama@1.0.0", "other@1.0.0")[turn // 5]
                reply = await say(service, session, f"{number}:{turn}", model=model)
                assert (reply.status, reply.model) == ("complete", model)
            kept = await service.chats.path(ANNE, session)
            assert [m.text for m in kept[::2]] == [f"{number}:{turn}" for turn in range(10)]
            assert [m.role for m in kept] == ["user", "assistant"] * 10

        await asyncio.gather(*(talk(number) for number in range(50)))


async def test_a_picture_for_a_model_of_text_is_refused_before_anything_is_stored(
    service: Service, session: str
):
    content = (ImagePart(image_url=Link(url=data_url(image_bytes(Image.new("RGB", (2, 2))), "image/png"))),)
    with pytest.raises(UnsupportedTask, match="takes no pictures"):
        await service.chats.send(ANNE, session, content)
    assert await service.chats.path(ANNE, session) == []


async def test_a_picture_in_a_message_reaches_the_model_as_a_file(
    service: Service, session: str, monkeypatch
):
    asked: list[Any] = []
    start = service.jobs.start

    def noted(request: Request) -> Any:
        asked.append(request)
        return start(request)

    monkeypatch.setattr(service.jobs, "start", noted)
    service.registry.update("tiny-llama@1.0.0", tasks=("text-generation", "image-text-to-text"))
    picture = image_bytes(Image.new("RGB", (2, 2)))
    link = Link(url=data_url(picture, "image/png"))
    await say(service, session, (TextPart(text="What is this?"), ImagePart(image_url=link)))
    assert [one.read() for one in asked[0].media] == [picture]
    kept = await service.chats.path(ANNE, session)
    assert isinstance(kept[0].content[1], ImagePart)
    assert kept[0].content[1].image_url == link
