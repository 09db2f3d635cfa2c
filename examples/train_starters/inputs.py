"""`python -m examples.train_starters.inputs` writes examples/inputs: pictures and clips to try."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from examples.train_starters.shapes_world import clip, render, render_clip, scene, stream
from examples.train_starters.shapes_world.scenes import Scene
from inference_chat.media import clip_bytes

INPUTS = Path("examples/inputs")
SIDE = 256
FPS = 8.0
# How many objects each picture has; the last has something in a colour that training never saw it in.
COUNTS = (1, 2, 3, 4, 5)
# Two red circles, for a question that is said aloud.
ASKED_ABOUT = ("red circle", 2)
CLIPS = {"clip-one-shot": 1, "clip-two-shots": 2}


def write(folder: Path = INPUTS) -> list[Path]:
    """Writes what no starter was trained on: PNG pictures of SIDE pixels, clips of 2 seconds a shot."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        f"scene-{number}-objects.png": scene(stream("test", 900_000 + number), "test", SIDE, number)
        for number in COUNTS
    }
    rng = stream("compositional", 900_000)
    pictures["scene-red-circles.png"] = _with(*ASKED_ABOUT)
    pictures["scene-new-combination.png"] = scene(rng, "compositional", SIDE, 3)
    for name, drawn in pictures.items():
        render(drawn).save(folder / name, optimize=True)
    for at, (name, shots) in enumerate(CLIPS.items()):
        film = clip(stream("test", 910_000 + at), "test", SIDE, still=1, shots=shots)
        (folder / f"{name}.mp4").write_bytes(clip_bytes(render_clip(film), FPS))
    return sorted([*(folder / name for name in pictures), *(folder / f"{name}.mp4" for name in CLIPS)])


def _with(name: str, number: int) -> Scene:
    """The first scene of five objects with so many of that name."""
    drawn = (scene(stream("test", 920_000 + at), "test", SIDE, 5) for at in count())
    return next(one for one in drawn if sum(thing.name == name for thing in one.objects) == number)


if __name__ == "__main__":
    print(*write(), sep="\n")
