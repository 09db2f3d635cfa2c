"""`python -m examples.make_sets` writes the labelled sets of examples/sets: what no starter was trained on.

They are small on purpose: enough to see which of two models is better, and to try an evaluation with.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
from PIL import Image

from examples.train_starters.chat_data.dialogues import one_skill
from examples.train_starters.ears_sounds import RATE, names, sound
from examples.train_starters.reader_data.requests import free
from examples.train_starters.shapes_world import (
    WORLD,
    Scene,
    Split,
    index_map,
    render,
    render_clip,
    scene,
    stream,
)
from examples.train_starters.video_truth import LABELS, example
from examples.train_starters.vision_talk import Asking, one_picture
from inference_chat.media import clip_bytes, image_bytes

SETS = Path(__file__).parent / "sets"
SPEECH = Path(__file__).parent / "inputs" / "speech"
SEED = 20_261_123  # no measured figure of a card comes from these scenes
PIXELS = 96
KINDS = ("count", "exist", "color", "shape", "size", "biggest", "where", "relation", "background")
SKILLS = ("arithmetic", "units", "words")


def scenes(count: int, **how: Any) -> list[Scene]:
    """Scenes of the test, each fourth of new combinations."""
    splits: Sequence[Split] = ("test", "test", "test", "compositional")
    return [scene(stream(splits[at % 4], at, SEED), splits[at % 4], PIXELS, **how) for at in range(count)]


def picture(drawn: Scene) -> bytes:
    """A picture as WebP, whose losses nobody sees."""
    file = io.BytesIO()
    render(drawn).save(file, "WEBP", quality=92)
    return file.getvalue()


def packed(name: str, files: Mapping[str, bytes], rows: Sequence[Mapping[str, Any]] = ()) -> None:
    """A zip of files, with a table of `rows` where their folders are not their labels."""
    with zipfile.ZipFile(SETS / name, "w") as archive:
        if rows:
            archive.writestr(_dated("metadata.jsonl"), _lines(rows))
        for inner, data in files.items():
            archive.writestr(_dated(inner), data)


def written(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    (SETS / name).write_text(_lines(rows), encoding="utf-8")


def classes() -> None:
    drawn = [one for one in scenes(140, main=True) if one.objects][:120]
    packed("shapes.zip", {f"{one.main.name}/{at:03}.webp": picture(one) for at, one in enumerate(drawn)})


def boxes() -> None:
    files, rows = {}, []
    for at, one in enumerate(scenes(80)):
        files[f"{at:03}.webp"] = picture(one)
        found = [
            {
                "label": thing.name,
                "box": dict(zip(("xmin", "ymin", "xmax", "ymax"), _box(thing.box), strict=True)),
            }
            for thing in one.objects
        ]
        rows.append({"file_name": f"{at:03}.webp", "objects": found})
    packed("shapes-boxes.zip", files, rows)


def masks() -> None:
    """The same scenes with a map for each: the label of every pixel."""
    files, rows = {}, []
    for at, one in enumerate(scenes(80)):
        files[f"{at:03}.webp"] = picture(one)
        files[f"{at:03}.png"] = image_bytes(Image.fromarray(index_map(one)))
        names = {"0": "background"} | {str(n): thing.name for n, thing in enumerate(one.objects, 1)}
        rows.append({"file_name": f"{at:03}.webp", "mask": f"{at:03}.png", "labels": names})
    packed("shapes-masks.zip", files, rows)


def questions() -> None:
    files, rows = {}, []
    for at, one in enumerate(scenes(60)):
        turns = one_picture(Asking(stream("test", at, SEED + 1), "test", WORLD), one, KINDS)
        files[f"{at:03}.webp"] = picture(one)
        chosen = random.Random(at).sample(turns, min(2, len(turns)))
        rows += [{"file_name": f"{at:03}.webp", "question": t.question, "answer": t.answer} for t in chosen]
    packed("shapes-questions.zip", files, rows)


def motions() -> None:
    files, per_label = {}, dict.fromkeys(range(len(LABELS)), 0)
    for at in range(10_000):
        film, label = example("test", at, 96, SEED)
        if per_label[label] < 4:
            per_label[label] += 1
            files[f"{LABELS[label]}/{at:03}.mp4"] = clip_bytes(render_clip(film), 8)
        if min(per_label.values()) == 4:
            break
    packed("motions.zip", files)


def sounds() -> None:
    files = {}
    for at in range(2):
        for name in names():
            wave, _ = sound(random.Random(f"{SEED}/{name}/{at}"), "test", name)
            files[f"{name}/{at}.ogg"] = _opus(wave)
    packed("sounds.zip", files)


def spoken() -> None:
    said = json.loads((SPEECH / "said.json").read_text(encoding="utf-8"))
    rows = [{"file_name": name, "transcription": text} for name, text in said.items()]
    packed("spoken.zip", {name: (SPEECH / name).read_bytes() for name in said}, rows)


def requests() -> None:
    written("requests.jsonl", [{"text": one.text, "label": one.task} for one in free()])


def asked() -> None:
    """Questions of starter-chat's curriculum in wordings that it was not trained on; these need no data."""
    rows: dict[str, str] = {}
    for skill in SKILLS:
        of_skill: dict[str, str] = {}
        for at in range(1000):
            for turn in one_skill(f"{SEED}/{at}", Path(), skill).turns[:1]:
                if turn.skill == skill and not turn.open_ended and not turn.accepted:
                    of_skill.setdefault(turn.user, turn.answer)
            if len(of_skill) >= 60:
                break
        rows |= of_skill
    written("questions.jsonl", [{"prompt": user, "answer": answer} for user, answer in rows.items()])


def _opus(wave: Any) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        samples = (wave * 32767).clip(-32768, 32767).astype("int16")[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()


def _box(box: Sequence[float]) -> list[float]:
    return [round(side, 1) for side in box]


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _dated(name: str) -> zipfile.ZipInfo:
    """An entry whose date says nothing, so that the same seed makes the same file."""
    return zipfile.ZipInfo(name)


if __name__ == "__main__":
    SETS.mkdir(exist_ok=True)
    for make in (classes, boxes, masks, questions, motions, sounds, spoken, requests, asked):
        make()
