"""Questions said aloud over pictures, answered by the starters: `python -m tests.bench.bench_spoken`.

Pictures, voices and half of the wordings are those that no starter was trained on. Needs the program
espeak-ng, which speaks.
"""

import asyncio
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from examples.train_starters.listener_data.voices import RATE, render, voice
from examples.train_starters.questions import COLORS, SHAPES, ask
from examples.train_starters.shapes_world import render as drawn
from examples.train_starters.shapes_world import scene, stream
from examples.train_starters.shapes_world.scenes import Scene
from inference_chat.media import Sound, image_bytes, wav_bytes
from inference_chat.service import Service
from tests.fakes import ANNE, running

from .report import section

CARDS = Path(__file__).parents[2] / "model_cards"
SCENES = 60
SIDE = 256


class Asked(NamedTuple):
    """A question about a scene, and whether an answer to it is right."""

    kind: str
    text: str
    right: Callable[[str], bool]


def thing_of(rng: random.Random, drawn_scene: Scene) -> str:
    """Mostly something that is there."""
    if drawn_scene.objects and rng.random() < 0.75:
        return rng.choice(drawn_scene.objects).name
    return f"{rng.choice(COLORS)} {rng.choice(SHAPES)}"


def counting(rng: random.Random, scene_: Scene, wording: str) -> Asked:
    thing = thing_of(rng, scene_)
    number = sum(one.name == thing for one in scene_.objects)
    text = (
        f"How many {thing.replace('cross', 'crosse')}s are there?"
        if wording == "plain"
        else ask(rng, "count", "test", thing=thing)
    )
    return Asked(f"how many, {wording}", text, lambda said: first_number(said) == number)


def red_circles(number: int) -> tuple[Asked, Scene]:
    """The same question each time, over scenes with none, one or two of them."""
    wanted = number % 3
    drawn_scenes = (scene(stream("test", 970_000 + at), "test", SIDE, 5) for at in count(number * 100_000))
    found = next(
        one for one in drawn_scenes if sum(thing.name == "red circle" for thing in one.objects) == wanted
    )
    text = "How many red circles are there?"
    return Asked("how many red circles are there?", text, lambda said: first_number(said) == wanted), found


def existing(rng: random.Random, scene_: Scene) -> Asked:
    thing = thing_of(rng, scene_)
    there = any(one.name == thing for one in scene_.objects)
    text = f"Is there {'an' if thing[0] in 'aeiou' else 'a'} {thing}?"
    return Asked("is there", text, lambda said: said.lower().startswith("yes" if there else "no"))


def colouring(rng: random.Random, scene_: Scene) -> Asked:
    shapes = Counter(one.shape for one in scene_.objects)
    alone = [one for one in scene_.objects if shapes[one.shape] == 1]
    if not alone:
        return existing(rng, scene_)
    one = rng.choice(alone)
    return Asked("what colour", f"What color is the {one.shape}?", lambda said: f" {one.colour}" in said)


def questions(rng: random.Random, scene_: Scene) -> list[Asked]:
    plain, unseen = (counting(rng, scene_, wording) for wording in ("plain", "unseen wording"))
    return [plain, unseen, existing(rng, scene_), colouring(rng, scene_)]


def first_number(said: str) -> int | None:
    found = re.search(r"\d+", re.sub(r"\[\d+\]", "", said))
    return int(found[0]) if found else None


async def right(service: Service, asked: Asked, picture: bytes, sound: bytes | None) -> tuple[bool, str, str]:
    """Whether it is answered right; the answer, and what was heard."""
    media = [await service.intake.file(picture, "image")]
    if sound is not None:
        media.append(await service.intake.file(sound, "audio"))
    job = await service.infer(
        ANNE, group="multimodal", prompt=None if sound is not None else asked.text, media=media
    )
    result = await job.result()
    steps = result.finished.receipt.plan if result.finished.receipt else None
    heard = str(steps[0].output["text"]) if steps and sound is not None else asked.text
    return asked.right(result.text), result.text, heard


async def measure(scenes: int) -> str:
    rows: dict[str, list[tuple[bool, bool]]] = {}
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), CARDS) as service:
            for number in range(scenes):
                rng = random.Random(f"spoken/{number}")
                scene_ = scene(stream("test", 950_000 + number), "test", SIDE)
                asked_of = [red_circles(number), *((asked, scene_) for asked in questions(rng, scene_))]
                for asked, shown in asked_of:
                    picture = image_bytes(drawn(shown))
                    samples = render(asked.text, voice(rng, "test"))
                    sound = wav_bytes(Sound((samples / 32768).astype("float32")[:, None], RATE))
                    spoken, said, heard = await right(service, asked, picture, sound)
                    typed, _, _ = await right(service, asked, picture, None)
                    rows.setdefault(asked.kind, []).append((spoken, typed))
                    if not spoken:
                        wrong.append(f"{asked.text} | {heard} | {said}")
    print(*wrong, sep="\n", file=sys.stderr)
    lines = ["| question | asked | right, said aloud | right, typed |", "|---|---|---|---|"]
    for kind, found in rows.items():
        share = [sum(one[at] for one in found) / len(found) for at in (0, 1)]
        lines.append(f"| {kind} | {len(found)} | {share[0]:.2f} | {share[1]:.2f} |")
    return (
        f"{scenes} pictures that no starter was trained on, questions said by voices that the listener never "
        "heard (espeak-ng), each answered by a plan: hear, find objects, answer from what was found. Typed, "
        "the same question goes without the listener.\n\n" + "\n".join(lines)
    )


if __name__ == "__main__":
    if shutil.which("espeak-ng") is None:
        print("espeak-ng is not installed; nothing was measured.")
    else:
        told = asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else SCENES))
        if len(sys.argv) > 1:
            print(told)
        else:
            section("Questions said aloud over pictures", told)
