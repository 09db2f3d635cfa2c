"""Pictures, sounds and texts through the service: the right task, runner, and shape of the answer."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from inference_chat.errors import UnsupportedTask
from inference_chat.events import Result
from inference_chat.outputs import output_of
from inference_chat.schema import ImagePart, Link, Message, TextPart
from inference_chat.service import Service
from tests import tiny
from tests.fakes import ANNE, running
from tests.media.films import film
from tests.runners import caption_families, chat_families, sound_families, text_families, tiny_media
from tests.runners.tiny_media import clip, picture, tone

CARDS = Path(__file__).parent.parent / "model_cards"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    shelf: dict[str, tuple[tiny_media.Build, str]] = {
        "eyes": (chat_families.llava, "image-text-to-text"),
        "ears": (sound_families.whisper, "automatic-speech-recognition"),
        "mouth": (sound_families.vits, "text-to-speech"),
        "reader": (text_families.bert, "text-classification"),
        "sounds": (sound_families.ast, "audio-classification"),
        "caption": (caption_families.blip, "image-to-text"),
    }
    for name, (build, task) in shelf.items():
        tiny.card(build(folder / name), name, pipeline_tag=task)
    (folder / "scene-detector").symlink_to(CARDS / "scene-detector")
    return folder


async def asked(service: Service, *media: Any, **what: Any) -> tuple[str, Any]:
    """The task that was taken, and the output as every door shows it."""
    files = [await service.intake.file(one.read(), one.kind) for one in media]
    job = await service.infer(ANNE, media=files, **what)
    result: Result = await job.result()
    return str(job.request.task), output_of(job.request, result)


async def test_every_model_does_its_task(tmp_path: Path, models: Path):
    one, film, sound = picture(tmp_path), clip(tmp_path), tone(tmp_path)
    short = {"max_tokens": 6, "temperature": 0}
    async with running(tmp_path, models) as service:
        task, output = await asked(service, one, model="eyes", prompt="what?", parameters=short)
        assert (task, list(output)) == ("image-text-to-text", ["text"])
        task, output = await asked(
            service, film, model="eyes", group="video", prompt="what?", parameters=short
        )
        assert (task, sorted(output)) == ("video-text-to-text", ["text", "timestamps"])
        task, output = await asked(service, one, model="caption", parameters=short)
        assert (task, list(output)) == ("image-to-text", ["text"])
        task, output = await asked(service, sound, model="ears", parameters={"max_tokens": 6})
        assert (task, sorted(output)) == ("automatic-speech-recognition", ["chunks", "text"])
        task, output = await asked(service, sound, model="sounds")
        assert (task, sorted(output[0])) == ("audio-classification", ["label", "score"])
        task, output = await asked(service, model="mouth", prompt="a bad dog")
        assert task == "text-to-speech"
        assert output["audio"].startswith("data:audio/wav;base64,")
        task, output = await asked(service, model="reader", prompt="the one")
        assert {item["label"] for item in output} == {"glad", "sad"}


async def test_a_conversation_with_a_picture(tmp_path: Path, models: Path):
    one = picture(tmp_path)
    async with running(tmp_path, models) as service:
        kept = await service.intake.file(one.read(), "image")
        told = Message(role="user", content=(ImagePart(image_url=Link(url=kept.url)), TextPart(text="what?")))
        how = {"max_tokens": 5, "temperature": 0}
        job = await service.infer(ANNE, model="eyes", messages=[told], parameters=how)
        first = await job.result()
        again = await (await service.infer(ANNE, model="eyes", messages=[told], parameters=how)).result()
    assert first.finished.usage.completion_tokens == 5
    assert (again.text, again.finished.cached) == (first.text, True)


async def scenes_of(service: Service, **parameters: Any) -> tuple[list[dict[str, Any]], Result]:
    two = film([*[Image.new("RGB", (64, 48), "red")] * 30, *[Image.new("RGB", (64, 48), "blue")] * 30])
    media = [await service.intake.file(two, "video")]
    job = await service.infer(ANNE, group="video", task="scene-detection", media=media, parameters=parameters)
    result: Result = await job.result()
    output = output_of(job.request, result)
    assert isinstance(output, dict)
    return list(output["scenes"]), result


async def test_each_scene_is_described(tmp_path: Path, models: Path):
    async with running(tmp_path, models) as service:
        scenes, result = await scenes_of(service, captions=True, caption_model="caption")
        assert scenes[0]["caption"]  # of the other one this random model has nothing to say
        assert not result.finished.notes
        plain, _ = await scenes_of(service)
        assert [scene.keys() & {"caption"} for scene in plain] == [set(), set()]


async def test_scenes_are_described_by_what_is_found_where_nobody_writes(tmp_path: Path):
    able = tmp_path / "able"
    able.mkdir()
    for name in ("scene-detector", "starter-detector"):
        (able / name).symlink_to(CARDS / name)
    async with running(tmp_path, able) as service:
        clip = (CARDS.parent / "examples" / "inputs" / "clip-two-shots.mp4").read_bytes()
        media = [await service.intake.file(clip, "video")]
        asked = {"task": "scene-detection", "parameters": {"captions": True}}
        job = await service.infer(ANNE, group="video", media=media, **asked)
        output = output_of(job.request, await job.result())
        assert isinstance(output, dict)
        told = [scene["caption"] for scene in output["scenes"]]
        assert "orange triangle" in told[0]
        assert "red heart" in told[1]
        assert "[" not in "".join(told)


async def test_scenes_are_told_also_where_nobody_describes(tmp_path: Path, models: Path):
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    (lonely / "scene-detector").symlink_to(CARDS / "scene-detector")
    async with running(tmp_path, lonely) as service:
        scenes, result = await scenes_of(service, captions=True)
        assert len(scenes) == 2
        assert "describes pictures" in result.finished.notes[0]


async def test_a_model_that_does_not_describe_is_refused(tmp_path: Path, models: Path):
    async with running(tmp_path, models) as service:
        with pytest.raises(UnsupportedTask, match="not image-to-text"):
            await scenes_of(service, captions=True, caption_model="sounds")
