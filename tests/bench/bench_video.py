"""Clips: how well and how fast objects are followed and scenes told apart, and how much memory it takes.

`python -m tests.bench.bench_video`. Tracking is judged by `trackers.eval` (which follows TrackEval) on
generated clips that nothing was trained on, once with what a fair detector would see and once with
starter-detector's own eyes.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import av
import numpy as np
from PIL import Image

from examples.train_starters.shapes_world.clips import render_clip
from inference_chat.events import Event, Label, Labels, Span
from inference_chat.media import Frames, Limits, MediaStore
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement, memory_used, prepare
from inference_chat.runners.follower import Follower
from inference_chat.runners.scenes import SceneOptions, SceneRunner
from inference_chat.runners.tracking import TrackingOptions, TrackingRunner
from inference_chat.schema import Options, Request
from inference_chat.tasks import Task
from tests import cuts, tracked
from tests.media.films import film

from .report import section

CARDS = Path(__file__).parents[2] / "model_cards"
CLIPS, MOVIES = 20, 50
TIMES, BATCH = 3, 8
MINUTES, SIZE = 10, (1920, 1080)
CPU = Placement("cpu", "float32")


def main() -> None:
    prepare(max(1, (os.cpu_count() or 2) - 1))
    with tempfile.TemporaryDirectory() as folder:
        store = MediaStore(Path(folder), Limits(max_bytes=2**32))
        parts = [following(store), scenes(store)]
        if (CARDS / "starter-detector").is_dir():
            parts.append(overlap(store))
            parts.append(memory(store, Path(folder)))
        section("Clips", "\n\n".join(parts))


def following(store: MediaStore) -> str:
    """MOTA, HOTA and switches on held-out clips of ten seconds with crossings."""
    movies = [tracked.crossing(seed) for seed in range(CLIPS)]
    rows = [_row("boxes that shake by 3 %, 5 % missed", [_followed(one, n) for n, one in enumerate(movies)])]
    if (CARDS / "starter-detector").is_dir():
        runner = detector()
        rows.append(_row("starter-detector", [_watched(runner, store, one) for one in movies]))
    head = f"{CLIPS} clips of {tracked.SECONDS} s in which objects cross:\n\n"
    return head + "| detections | MOTA | HOTA | switches a clip |\n|---|---|---|---|\n" + "\n".join(rows)


def _row(name: str, scores: Sequence[tracked.Score]) -> str:
    mota, hota = (
        statistics.fmean(values) for values in zip(*((s.mota, s.hota) for s in scores), strict=True)
    )
    return f"| {name} | {mota:.3f} | {hota:.3f} | {statistics.fmean(s.switches for s in scores):.2f} |"


def _followed(movie: tracked.Clip, seed: int) -> tracked.Score:
    following = Follower(tracked.FPS, threshold=0.5, memory=1.5, overlap=0.2, steady=2, moving=False)
    seen = enumerate(tracked.detections(movie, seed))
    return tracked.score(tracked.truth(movie), [following.update(one, n / tracked.FPS) for n, one in seen])


def _watched(runner: TrackingRunner, store: MediaStore, movie: tracked.Clip) -> tracked.Score:
    found = run(runner, Task.OBJECT_TRACKING, store, film(render_clip(movie)), TrackingOptions())
    return tracked.score(tracked.truth(movie), [one.items for one in found if isinstance(one, Labels)])


def scenes(store: MediaStore) -> str:
    """F1 over generated clips of several shots."""
    runner = SceneRunner(inspect(CARDS / "scene-detector"), CPU)
    runner.load()
    scores = []
    for seed in range(MOVIES, 2 * MOVIES):  # those before were looked at when the thresholds were chosen
        movie = cuts.movie(seed)
        found = run(runner, Task.SCENE_DETECTION, store, film(movie.pictures), SceneOptions(key_frames=False))
        spans = [one for one in found if isinstance(one, Span) and one.kind in ("cut", "fade")]
        changes = [cuts.Change(s.kind, round(s.start_s * 25), round(s.end_s * 25)) for s in spans]  # type: ignore[arg-type]
        scores.append(cuts.score(movie.changes, changes))
    f1, mistaken = statistics.fmean(f1 for f1, _ in scores), sum(wrong for _, wrong in scores)
    told = f"Scenes of {MOVIES} unseen clips with cuts and fades: F1 {f1:.3f}"
    return f"{told}, {mistaken} taken for the other kind."


def overlap(store: MediaStore) -> str:
    """What following takes beside the longer of decoding and of looking alone; the best of `TIMES` each."""
    data = long_clip(20)
    told = "\n\n".join(_overlapped(*one, store, data) for one in eyes())
    alone = os.sched_getscheduler(0) == os.SCHED_FIFO
    return told + ("\n\nOther programs waited meanwhile (`chrt -f 1`)." if alone else "")


class Waiting(TrackingRunner):
    """A detector that works elsewhere, on an accelerator say: one only waits for it."""

    def detect(
        self, pictures: Sequence[Image.Image], threshold: float, labels: Sequence[str] = ()
    ) -> list[tuple[Label, ...]]:
        time.sleep(0.01 * len(pictures))
        return [()] * len(pictures)


def eyes() -> list[tuple[str, TrackingRunner]]:
    runner = detector()
    waiting = Waiting(runner.checkpoint, CPU)
    waiting._reader, waiting._model = runner._reader, runner._model
    return [("starter-detector on the same cores", runner), ("a model that works elsewhere", waiting)]


def _overlapped(name: str, runner: TrackingRunner, store: MediaStore, data: bytes) -> str:
    with Frames(data) as frames:
        side = runner._side(frames.info, TrackingOptions())
    with Frames(data, max_side=side) as frames:
        pictures = [frame.picture for frame in frames]
    decoding, looking, both = (
        min(times)
        for times in zip(
            *(
                (
                    timed(lambda: sum(1 for _ in Frames(data, max_side=side))),
                    timed(lambda: look(runner, pictures)),
                    timed(lambda: run(runner, Task.OBJECT_TRACKING, store, data, TrackingOptions())),
                )
                for _ in range(TIMES)
            ),
            strict=True,
        )
    )
    count = len(pictures)
    return (
        f"{count} frames of {SIZE[0]} × {SIZE[1]}, {name}: decoding alone {count / decoding:.0f} "
        f"frames/s, looking alone {count / looking:.0f}, both and following {count / both:.0f}: "
        f"{max(decoding, looking) / both:.2f} of the slower (goal: 0.9)."
    )


def look(runner: TrackingRunner, pictures: Sequence[Image.Image]) -> None:
    """The bare model, over pictures that are there already, in the batches it is best at."""
    for at in range(0, len(pictures), BATCH):
        runner.detect(pictures[at : at + BATCH], 0.2)


def memory(store: MediaStore, folder: Path) -> str:
    """The most memory over the loaded model's while ten minutes of full HD are followed."""
    runner, data = detector(), long_clip(MINUTES * 60)
    media = store.add(data, "video")
    del data
    before, most, ended = memory_used(), [0], Flag()

    def watch() -> None:
        while not ended.wait(0.05):
            most[0] = max(most[0], memory_used() - before)

    watcher = Thread(target=watch)
    watcher.start()
    asked = Request(
        task=Task.OBJECT_TRACKING,
        model="bench@1",
        media=(media,),
        options=TrackingOptions(fps=5, render=True),
    )
    began = time.monotonic()
    seen = list(runner.run(asked, Flag()))
    seconds = time.monotonic() - began
    ended.set()
    watcher.join()
    looked = sum(isinstance(one, Labels) for one in seen)
    return (
        f"{MINUTES} minutes of {SIZE[0]} × {SIZE[1]}, {looked:,} frames followed and drawn "
        f"in {seconds:.0f} s: "
        f"at most {most[0] / 2**20:.0f} MiB over the loaded model (goal: 500), all events kept."
    )


def detector() -> TrackingRunner:
    runner = TrackingRunner(inspect(CARDS / "starter-detector"), CPU)
    runner.load()
    return runner


def run(
    runner: TrackingRunner | SceneRunner, task: Task, store: MediaStore, data: bytes, how: Options
) -> list[Event]:
    media = store.add(data, "video")
    found = list(runner.run(Request(task=task, model="bench@1", media=(media,), options=how), Flag()))
    media.path.unlink()
    return found


def timed(work: object) -> float:
    assert callable(work)
    began = time.monotonic()
    work()
    return time.monotonic() - began


def long_clip(seconds: int) -> bytes:
    """Shapes that move through full HD, at 25 frames a second."""
    small = render_clip(tracked.crossing(1, 270))[::5]
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        with av.open(file.name, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
            stream.options = {"preset": "ultrafast", "crf": "30"}
            frames = [wide(picture) for picture in small]
            for number in range(seconds * 25):
                frame = frames[bounced(number, len(frames))]
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return Path(file.name).read_bytes()


def wide(picture: Image.Image) -> av.VideoFrame:
    whole = Image.new("RGB", SIZE, tuple(np.asarray(picture)[0, 0].tolist()))
    whole.paste(picture.resize((SIZE[1], SIZE[1])), ((SIZE[0] - SIZE[1]) // 2, 0))
    frame: av.VideoFrame = av.VideoFrame.from_image(whole)
    return frame.reformat(format="yuv420p")


def bounced(number: int, count: int) -> int:
    """There and back again."""
    at = number % (2 * count - 2)
    return at if at < count else 2 * count - 2 - at


if __name__ == "__main__":
    main()
