"""A card keeps a model to what it has learnt of what its architecture can do."""

from pathlib import Path

import pytest

from inference_chat.errors import UnsupportedTask
from inference_chat.service import Service
from tests.fakes import ANNE, running
from tests.runners.chat_families import llava

CARD = "---\npipeline_tag: image-to-text\ninference_chat:\n  name: {name}\n{more}---\nSees.\n"


def shelf(folder: Path) -> Path:
    for name, more in (("some", "  tasks: [image-to-text, object-detection]\n"), ("all", "")):
        llava(folder / name)
        (folder / name / "README.md").write_text(CARD.format(name=name, more=more))
    return folder


async def test_tasks_of_the_cards_own_block_are_all_that_a_model_does(tmp_path: Path):
    async with running(tmp_path / "service", shelf(tmp_path / "models")) as service:
        some, every = (service.registry.get(name) for name in ("some", "all"))
        assert some.tasks == ("image-to-text",)
        assert {"image-to-text", "video-text-to-text"} < set(every.tasks)
        with pytest.raises(UnsupportedTask, match="does image-to-text, not video-text-to-text"):
            await ask(service, "some")


async def test_a_folder_that_is_registered_is_kept_to_its_card_too(tmp_path: Path):
    models = shelf(tmp_path / "models")
    (tmp_path / "none").mkdir()
    async with running(tmp_path / "service", tmp_path / "none") as service:
        record = await service.models.register({"name": "mine", "file_path": str(models / "some")})
        assert record["tasks"] == ["image-to-text"]


async def ask(service: Service, model: str) -> None:
    await service.infer(ANNE, task="video-text-to-text", model=model, prompt="What moves?")
