"""What people had made stays, theirs alone, until it is removed, too old or too much."""

import asyncio
import os
from pathlib import Path

import pytest

from inference_chat import gallery
from inference_chat.access import Caller
from inference_chat.errors import BadMedia
from inference_chat.gallery import KEPT, MOST, Gallery, Made
from inference_chat.media import data_url, image_bytes
from inference_chat.schema import now
from inference_chat.service import Service
from inference_chat.ui import album
from tests.server import settings
from tests.tiny_vision import scene

ANNA = Caller(owner="anna", address="127.0.0.1")
BOB = Caller(owner="bob", address="127.0.0.1")


def made(id: str, owner: str = "anna", **more: object) -> Made:
    facts = {"kind": "image", "media": (f"file-{id}",), "told": {"task": "text-to-image", "prompt": "a cat"}}
    return Made.model_validate({"id": id, "owner": owner} | facts | more)


@pytest.fixture
def shelf(tmp_path: Path) -> Gallery:
    return Gallery(f"sqlite:{tmp_path}/gallery.db")


def test_it_survives_and_is_its_owners_alone(tmp_path: Path, shelf: Gallery):
    shelf.add(made("1"))
    shelf.add(made("2", told={"task": "text-to-image", "prompt": "a dog\0"}))
    shelf.add(made("3", "bob"))
    shelf.add(made("4", kind="video"))
    shelf.close()
    again = Gallery(f"sqlite:{tmp_path}/gallery.db")
    assert [one.id for one in again.list("anna", "image")] == ["2", "1"]
    assert again.list("anna", "image")[0].told["prompt"] == "a dog"
    assert [again.remove(owner, "3") for owner in ("anna", "bob", "bob")] == [False, True, False]
    assert again.media() == {"file-1", "file-2", "file-4"}
    again.close()


def test_there_are_never_too_many(shelf: Gallery, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gallery, "MOST", 3)
    for number in range(5):
        shelf.add(made(str(number)))
    shelf.add(made("other", "bob"))
    assert [one.id for one in shelf.list("anna", "image")] == ["4", "3", "2"]
    assert len(shelf.list("bob", "image")) == 1
    assert MOST == 200


def test_what_is_too_old_leaves(shelf: Gallery):
    shelf.add(made("old", created_at=now() - KEPT * 1.01))
    shelf.add(made("new"))
    assert shelf.media() == {"file-new"}
    assert [one.id for one in shelf.list("anna", "image")] == ["new"]


def test_files_of_the_gallery_outlive_others_until_they_are_removed(tmp_path: Path):
    service = Service(settings(tmp_path))
    picture = data_url(image_bytes(scene(64, 64)), "image/png")
    output = {"images": [picture], "seed": 7, "seeds": [7]}
    told = {"task": "text-to-image", "model": "painter@1", "prompt": "a cat", "figures": ["1 s in all"]}
    value = {"id": "one", "notes": [], "settings": {"seed": 7}, "output": output} | told

    async def story() -> None:
        await album.keep(service, "image", ANNA, value)
        await album.keep(service, "image", ANNA, value | {"id": "none", "output": {"images": []}})
        mine = album.Album(service, "image")
        (kept,) = await mine.past(ANNA)
        assert {name: kept[name] for name in told} == told
        assert (kept["output"]["seeds"], kept["settings"]) == ([7], {"seed": 7})
        id = kept["output"]["images"][0].removeprefix("media/")
        file = service.media.look(id).path
        for path in (file, service.media.add(image_bytes(scene(32, 32)), "image").path):
            os.utime(path, (0, 0))
        await service._clean_media()
        assert [path.name for path in file.parent.iterdir()] == [id]
        assert not await mine.forget(BOB, id="one")
        assert await mine.forget(ANNA, id="one")
        os.utime(file, (0, 0))
        await service._clean_media()
        with pytest.raises(BadMedia):
            service.media.look(id)
        await service.stop()

    asyncio.run(story())
