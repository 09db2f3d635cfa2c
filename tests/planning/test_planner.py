"""Plans with the starters that hear, look and chat: which steps are taken, and what comes of them."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from examples.train_starters.shapes_world import COLOURS, Background, Scene, Thing, render
from inference_chat.errors import BadMedia, InvalidRequest, ModelNotFound, UnsupportedTask
from inference_chat.events import Result, Step
from inference_chat.media import Sound, clip_bytes, wav_bytes
from inference_chat.outputs import output_of
from inference_chat.planning.parts import said
from inference_chat.schema import Media
from inference_chat.service import Service
from tests import tiny
from tests.fakes import ANNE, running
from tests.runners import chat_families

ROOT = Path(__file__).parents[2]
INPUTS = ROOT / "examples" / "inputs"
pytestmark = pytest.mark.asyncio(loop_scope="module")  # loading the models for each test would take long
STARTERS = ("starter-detector", "starter-listener", "starter-chat", "scene-detector")


def shelf(folder: Path, names: tuple[str, ...]) -> Path:
    folder.mkdir()
    for name in names:
        os.symlink(ROOT / "model_cards" / name, folder / name)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    folder = tmp_path_factory.mktemp("plans")
    async with running(folder, shelf(folder / "models", STARTERS)) as service:
        yield service


async def kept(service: Service, *names: str) -> list[Media]:
    found = []
    for name in names:
        with (INPUTS / name).open("rb") as file:
            found.append(await service.intake.any(file))
    return found


async def planned(service: Service, text: str, *media: Media, **more: Any) -> tuple[Any, Result]:
    job = await service.infer(
        ANNE, group="multimodal", prompt=text or None, media=media, model="auto", **more
    )
    result = await job.result()
    return output_of(job.request, result), result


async def test_how_many_red_circles_there_are_said_aloud_over_a_picture(service: Service):
    media = await kept(service, "scene-red-circles.png", "speech/how-many-red-circles-are-there.ogg")
    output, _ = await planned(service, "", *media)
    assert output["text"] == "There are 2 red circles [1][2]."


async def test_a_spoken_question_over_a_picture(service: Service):
    media = await kept(service, "scene-red-circles.png", "speech/describe-the-picture.ogg")
    output, result = await planned(service, "", *media)
    assert [step["task"] for step in output["plan"]] == ["automatic-speech-recognition", "object-detection"]
    assert output["plan"][0]["output"]["text"] == "Describe the picture."
    assert output["text"].startswith("I see 5 objects")
    assert {source["medium"] for source in output["sources"]} == {media[0].url}
    assert [event for event in result.outcomes if isinstance(event, Step)] == list(plan_of(result))


async def test_counting_is_answered_with_the_regions(service: Service):
    output, _ = await planned(
        service, "How many red circles are there?", *await kept(service, "scene-red-circles.png")
    )
    assert output["text"] == "There are 2 red circles [1][2]."
    assert [source["kind"] for source in output["sources"]] == ["region", "region"]


def two_scenes() -> list[Any]:
    """Six seconds: a red circle that moves to the right, a cut, a blue square that stays."""

    def frame(colour: str, shape: str, x: float, behind: str) -> Any:
        thing = Thing(shape, colour, "medium", x, 96, 30, 0.0, COLOURS[colour])
        return render(Scene((thing,), Background(behind, "plain", (COLOURS[behind],) * 2, 0.0), 192, 0.0, 0))

    moves = [frame("red", "circle", 40 + 4.5 * at, "white") for at in range(24)]
    return moves + [frame("blue", "square", 120, "yellow")] * 24


def plan_of(result: Result) -> tuple[Step, ...]:
    assert result.finished.receipt
    return result.finished.receipt.plan or ()


async def test_the_same_message_makes_the_same_plan(service: Service):
    media = await kept(service, "scene-3-objects.png", "scene-4-objects.png")
    first, again = [await planned(service, "What is different?", *media) for _ in range(2)]
    assert first[0]["text"] == again[0]["text"]
    assert [step.output for step in plan_of(first[1])] == [step.output for step in plan_of(again[1])]


async def test_what_is_said_in_a_clip_and_what_moves(service: Service, tmp_path: Path):
    clip = await service.intake.path(spoken_clip(tmp_path), "video")
    output, _ = await planned(service, "What is said, and what moves?", clip)
    assert "“Tell me a joke.”" in output["text"]
    spoken = next(source for source in output["sources"] if source["kind"] == "speech")
    assert 0 <= spoken["start_s"] < spoken["end_s"] <= 2.1


async def test_a_clip_is_summed_up_with_times(service: Service):
    film = two_scenes()
    clip = await service.intake.file(clip_bytes(film, 8), "video")
    for more in ({"group": "multimodal"}, {"task": "video-text-to-text"}):
        job = await service.infer(ANNE, prompt="Summarise the clip with times", media=[clip], **more)
        text = (await job.result()).text
        first, second, cut = text.split("\n")
        assert first.startswith("0:00.0–0:03.0: the red circle moves to the right [1]")
        assert second.startswith("0:03.0–0:06.0: the blue square stays where it is [2]")
        assert cut.startswith("There is a cut at 0:03.0 [3]")
        assert job.request.model == "auto@1.0.0"


async def test_words_that_are_said_are_answered_as_words(service: Service):
    output, result = await planned(service, "", *await kept(service, "speech/hey-how-are-you.ogg"))
    assert [step["task"] for step in output["plan"]] == ["automatic-speech-recognition", "text-generation"]
    assert output["text"]
    assert result.finished.usage.completion_tokens


async def test_silence_is_told_as_silence(service: Service):
    import numpy as np

    quiet = await service.intake.file(wav_bytes(Sound(np.zeros((16000, 1), np.float32), 16000)), "audio")
    output, _ = await planned(service, "", quiet)
    assert "I hear no words" in output["text"]


async def test_what_nobody_here_can_answer_is_said_with_what_was_found(service: Service):
    output, result = await planned(
        service, "Write a poem about it", *await kept(service, "scene-1-objects.png")
    )
    assert "orange square" in output["text"]
    assert "No model here answers any question" in result.finished.notes[0]


async def test_a_question_about_a_picture_that_was_never_sent_says_so(service: Service):
    for text, told in {
        "What is in this picture?": ("No picture was sent to look at: send one with the question.",),
        "What is the image tab for?": (),
        "What is a picture?": (),
    }.items():
        _, result = await planned(service, text)
        assert result.finished.notes == told


async def test_without_a_plan_one_model_must_understand_it(service: Service):
    media = await kept(service, "scene-1-objects.png", "speech/tell-me-a-joke.ogg")
    with pytest.raises(
        UnsupportedTask, match="No single model here understands sounds and pictures together"
    ):
        await service.infer(ANNE, group="multimodal", prompt="what?", media=media, plan=False)


async def test_no_more_files_than_a_message_takes(service: Service):
    quiet = [
        await service.intake.file(b"RIFF\0\0\0\0WAVE" + bytes([number]), "audio") for number in range(17)
    ]
    with pytest.raises(InvalidRequest, match="at most 16 files"):
        await planned(service, "what?", *quiet)


async def test_a_step_that_fails_says_why_and_is_told_as_failed(service: Service):
    broken = await service.intake.file(b"RIFF\0\0\0\0WAVEbroken", "audio")
    job = await service.infer(ANNE, group="multimodal", prompt="what is said?", media=[broken], model="auto")
    with pytest.raises(BadMedia):
        await job.result()
    assert next(event for event in reversed(job.events) if isinstance(event, Step)).state == "failed"


async def test_a_stopped_plan_ends_as_cancelled(service: Service):
    media = await kept(service, "clip-two-shots.mp4")
    job = await service.infer(
        ANNE, group="multimodal", prompt="what moves?", media=media, model="auto", use_cache=False
    )
    async for _, event in job.watch():
        if isinstance(event, Step):
            job.cancel()
    assert (await job.result()).finished.finish_reason == "cancelled"


async def test_a_conversation_keeps_its_files_plan_and_sources(service: Service, tmp_path: Path):
    session = await service.chats.start(ANNE, model="auto")
    media = await kept(service, "scene-red-circles.png")
    for content in (said("How many red circles are there?", media).content, "Where are they?"):
        await (await service.chats.send(ANNE, session.id, content)).finished()
    reply = await (await service.chats.send(ANNE, session.id, "Tell me a joke.")).finished()
    path = await service.chats.path(ANNE, session.id)
    assert path[1].text == "There are 2 red circles [1][2]."
    assert path[1].receipt
    assert reply.receipt
    assert path[1].receipt["sources"][0]["medium"] == media[0].url
    assert [step["task"] for step in reply.receipt["plan"]] == ["text-generation"]
    archive = await service.exports.pack(ANNE, session.id)
    copy = await service.exports.unpack(ANNE, archive.read_bytes())
    assert [one.text for one in await service.chats.path(ANNE, copy.id)] == [one.text for one in path]
    assert service.sessions.media() == {media[0].id}
    await service.exports.drop(archive)


async def test_without_models_it_says_which_are_missing(tmp_path: Path):
    async with running(tmp_path, shelf(tmp_path / "models", ("starter-chat",))) as service:
        for name, missing in (
            ("scene-1-objects.png", "pictures"),
            ("speech/tell-me-a-joke.ogg", "speech-recognition"),
        ):
            with pytest.raises(ModelNotFound, match=missing):
                await planned(service, "", *await kept(service, name))


async def test_a_model_that_sees_answers_what_no_detector_can(tmp_path: Path):
    tiny.card(chat_families.llava(tmp_path / "models" / "eyes"), "eyes", pipeline_tag="image-text-to-text")
    async with running(tmp_path, tmp_path / "models") as service:
        session = await service.chats.start(ANNE, model="auto", settings={"max_tokens": 3})
        pictures = await kept(service, "scene-1-objects.png")
        for content in (said("Write a poem about it", pictures).content, "And what else is in the picture?"):
            turn = await service.chats.send(ANNE, session.id, content)
            reply = await turn.finished()
            assert reply.error is None
            assert reply.receipt
            assert reply.usage
            assert [(step["task"], step["model"]) for step in reply.receipt["plan"]] == [
                ("image-text-to-text", "eyes@1.0.0")
            ]
            assert reply.usage.completion_tokens <= 3


def spoken_clip(folder: Path) -> Path:
    """A clip of two seconds whose sound track says something."""
    import subprocess

    import imageio_ffmpeg

    clip = folder / "clip.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(INPUTS / "clip-one-shot.mp4")]
    command += ["-i", str(INPUTS / "speech" / "tell-me-a-joke.ogg"), "-c:v", "copy", "-c:a", "aac", str(clip)]
    subprocess.run(command, check=True)
    return clip
