"""Questions about clips that no starter was trained on: `python -m tests.bench.bench_clips`.

Each goes through the engine, with the clip as a file. Names of models after the command choose who is asked,
a number how many clips; the section of the results then stays as it is.
"""

import asyncio
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from examples.train_starters.shapes_world import WORLD, stream
from inference_chat.media import clip_bytes
from inference_chat.schema import Media
from inference_chat.service import Service
from tests.fakes import ANNE, running

from .clip_talk import KINDS, ClipAsking, ClipTurn, about_film
from .clip_words import CLIP_KINDS
from .films import Film, film
from .report import section
from .told import right

CARDS = Path(__file__).parents[2] / "model_cards"
ASKED = ("auto",)
CLIPS = 60
SIDE = 192
FIRST = 100
# Those before it were looked at while the plan's rules were written.


def questions(at: int) -> tuple[Film, list[ClipTurn]]:
    """A clip of two seconds or more and one question of each kind about it."""
    for which in range(at * 1000, at * 1000 + 1000):
        rng = stream("test", 4_000_000 + which)
        one = film(rng, "test", WORLD)
        if len(one.clip.frames) / one.fps >= 2:
            turns = [
                turn
                for kind in KINDS
                for turn in about_film(ClipAsking(rng, rng.choice(("train", "test")), WORLD), one, [kind])
            ]
            return one, turns
    raise AssertionError("no clip is long enough")


async def answer(service: Service, model: str, clip: Media, question: str) -> str:
    """What somebody who asks a model about a clip reads."""
    named = {"task": "video-text-to-text"} if model != "auto" else {"group": "multimodal"}
    job = await service.infer(ANNE, model=model, prompt=question, media=[clip], **named)
    return (await job.result()).text.strip()


async def measure(clips: int, models: tuple[str, ...], cards: Path = CARDS) -> str:
    """The table of the shares of true answers, by kind of question and who is asked."""
    hits: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), cards) as service:
            for at in range(clips):
                one, turns = questions(FIRST + at)
                clip = await service.intake.file(clip_bytes(one.whole(SIDE), one.fps), "video")
                for turn in turns:
                    for model in models:
                        said = await answer(service, model, clip, turn.question)
                        hits[turn.kind][model].append(right(one, turn, said))
                        if not hits[turn.kind][model][-1]:
                            print(
                                f"{model} | {turn.kind} | {turn.question} | {turn.answer} | {said}",
                                file=sys.stderr,
                            )
    lines = [f"| question | asked | {' | '.join(models)} |", "|" + "---|" * (len(models) + 2)]
    for kind in KINDS:
        shares = [sum(hits[kind][model]) / len(hits[kind][model]) for model in models]
        lines.append(
            f"| {kind} | {len(hits[kind][models[0]])} | {' | '.join(f'{one:.2f}' for one in shares)} |"
        )
    means = [sum(sum(hits[k][m]) / len(hits[k][m]) for k in KINDS) / len(KINDS) for m in models]
    lines.append(f"| mean | | {' | '.join(f'{one:.2f}' for one in means)} |")
    wordings = sum(len(kind.train) + len(kind.test) for kind in CLIP_KINDS.values())
    return (
        f"{clips} clips of one or two scenes that no starter was trained on (H.264, {SIDE} x {SIDE}, two "
        f"seconds or more), one question of each kind that can be asked of them, in {wordings} wordings. "
        "An answer counts that says all that is true and nothing else, in whatever words.\n\n"
        + "\n".join(lines)
    )


def main() -> None:
    """Measures, and writes the section where nothing else is asked."""
    clips = next((int(word) for word in sys.argv[1:] if word.isdigit()), CLIPS)
    models = tuple(word for word in sys.argv[1:] if not word.isdigit()) or ASKED
    told = asyncio.run(measure(clips, models))
    if len(sys.argv) > 1:
        print(told)
    else:
        section("Questions about clips", told)


if __name__ == "__main__":
    main()
