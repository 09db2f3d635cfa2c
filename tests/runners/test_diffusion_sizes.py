"""Sizes are judged before drawing: how long a step takes here, what is refused, what is drawn unasked."""

import re
import time
from itertools import pairwise
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from inference_chat.errors import InferenceChatError, OutOfMemory, TooLarge
from inference_chat.events import Finished, ImageReady, VideoReady
from inference_chat.runners.diffusion import DiffusionRunner, plans
from inference_chat.runners.diffusion.fitting import DOUBT, Bounds, Fitting, Need, Shape, spoken
from inference_chat.runners.diffusion.meter import Cost, Meter, Pace
from inference_chat.runners.diffusion.sizes import canvas_of, denoiser_of, frames_like
from inference_chat.runners.diffusion.work import Grid, layers_of, load_of, loads

from .diffusers_models import CLIPS, OTHERS, PICTURES, build, draw, drawn, edit, film, open_runner, results

FAMILIES = ("StableDiffusion", "StableDiffusion3", "Flux", "Sana", "LTX", "Wan", "AnimateDiff")
sides = some.integers(1, 40).map(lambda number: number * 16)
counts = some.integers(1, 200)


class Steady(Meter):
    """The meter of a machine that is always as quick: what is judged does not hang on the real one."""

    _drawing_pace = _decoding_pace = Pace(linear=2e10, conv=2e10, attention=2e10, values=2e9)

    def learn(self, expected: Cost, seconds: float) -> None:
        """What the real machine took says nothing of this one."""


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is never what is short."""
    monkeypatch.setattr(plans, "memory_free", lambda: 1 << 40)


@pytest.fixture(scope="module")
def meters() -> Any:
    """Meters by family, each made once."""
    made: dict[str, Meter] = {}

    def get(kind: str) -> Meter:
        if kind not in made:
            made[kind] = Steady((PICTURES | CLIPS | OTHERS)[kind]())
        return made[kind]

    return get


@pytest.fixture(scope="module")
def filmer(tmp_path_factory: pytest.TempPathFactory) -> DiffusionRunner:
    return steady(open_runner(build("LTX", tmp_path_factory.mktemp("ltx") / "ltx")))


def steady(runner: DiffusionRunner) -> DiffusionRunner:
    runner._meter = Steady(runner._pipe)
    return runner


# --- the estimate -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAMILIES)
def test_more_of_anything_never_takes_less(meters: Any, kind: str):
    meter = meters(kind)

    @settings(max_examples=40, deadline=None)
    @given(sides, sides, counts, some.sampled_from([(16, 0, 0), (0, 16, 0), (0, 0, 1), (160, 160, 16)]))
    def check(width: int, height: int, frames: int, more: tuple[int, int, int]) -> None:
        less = meter.cost((width, height), frames, True)
        larger = meter.cost((width + more[0], height + more[1]), frames + more[2], True)
        assert all(a <= b for a, b in zip(less, larger, strict=True))

    check()


def test_attention_over_a_whole_clip_is_what_grows():
    layers = layers_of(denoiser_of(CLIPS["LTX"]()))
    (looks,) = (one for one in layers if one.kind == "attention" and one.over == "all")
    once, twice = (load_of(looks, Grid(frames, 10, 10)).attention for frames in (4, 8))
    assert twice == 4 * once == 4 * 2 * 16 * 400**2  # two products of 16 numbers for each pair of places


def test_frames_that_look_at_themselves_cost_as_many_pictures():
    layers = layers_of(denoiser_of(CLIPS["AnimateDiff"]()))
    assert {one.over for one in layers if one.kind == "attention"} == {"frame", "time", "words"}
    looks = next(one for one in layers if one.over == "frame")
    assert load_of(looks, Grid(8, 8, 8)).attention == 8 * load_of(looks, Grid(1, 8, 8)).attention


def test_blocks_behind_a_downsampler_have_a_quarter_of_the_places():
    layers = {one.module: one for one in layers_of(denoiser_of(PICTURES["StableDiffusion"]()))}
    grid = Grid(1, 64, 64)
    fine, coarse = (layers[f"down_blocks.{at}.resnets.0.conv2"] for at in (0, 1))
    assert load_of(fine, grid).conv == fine.cost * 64 * 64
    assert load_of(coarse, grid).conv == coarse.cost * 32 * 32
    assert layers["mid_block.resnets.0.conv1"].level == 1
    assert layers["up_blocks.1.resnets.0.conv1"].level == 0


def test_a_decoder_begins_with_the_coarse_blocks():
    decoder = PICTURES["StableDiffusion"]().vae.decoder
    levels = {one.module: one.level for one in layers_of(decoder, coarse_first=True)}
    assert (levels["conv_in"], levels["up_blocks.1.resnets.0.conv1"], levels["conv_out"]) == (0, -1, -3)


def test_what_runs_without_a_pause_is_a_layer_that_lets_others_have_their_turn():
    blocks = loads(layers_of(denoiser_of(CLIPS["LTX"]())), Grid(4, 8, 8))
    assert {"transformer_blocks.0", "transformer_blocks.0.ff.net.0"} <= blocks.keys()


@pytest.mark.parametrize(("kind", "size"), [("Medium", 128), ("StableDiffusion", 512)])
def test_a_step_takes_what_was_expected(tmp_path: Path, kind: str, size: int):
    runner = open_runner(build(kind, tmp_path / kind))
    expected = runner._meter.cost((size, size), 0, True).step
    asked = draw(width=size, height=size, steps=4, film=True)
    marks = [
        time.thread_time()
        for event in runner.run(asked, Flag())
        if isinstance(event, ImageReady) and event.role == "noisy"
    ]
    took = min(b - a for a, b in pairwise(marks))
    assert expected / 4 < took < 4 * expected  # within 1.7 on its own, and the film adds its frames


def test_a_picture_puts_the_estimate_right(meters: Any):
    meter = Meter(meters("Flux")._pipe)
    expected = meter.cost((64, 64), 0, False)
    meter.learn(expected, 0.01)  # too short to tell anything
    assert meter.cost((64, 64), 0, False) == expected
    meter.learn(expected._replace(step=0.1), 0.3)
    assert meter.cost((64, 64), 0, False).step == pytest.approx(3 * expected.step)
    meter.learn(expected._replace(step=0.1), 100)
    assert meter.cost((64, 64), 0, False).step == pytest.approx(5 * expected.step)


# --- the judgement ------------------------------------------------------------------------------


def fitting(meter: Meter, bounds: Bounds, steps: int = 10) -> Fitting:
    def need(shape: Shape) -> Need:
        cost = meter.cost(shape.size, shape.frames, True)
        return Need(cost.step, cost.longest, cost.total(steps), shape.size[0] * shape.size[1] * 100)

    pipe = meter._pipe
    return Fitting("tiny", canvas_of(pipe), need, lambda frames: frames_like(pipe, frames), bounds)


@pytest.mark.parametrize("kind", ["StableDiffusion", "StableDiffusion3", "LTX", "AnimateDiff"])
def test_what_is_suggested_would_do(meters: Any, kind: str):
    meter = meters(kind)
    frames = some.integers(1, 8) if kind in CLIPS else some.just(0)
    shapes = some.tuples(some.integers(4, 16), some.integers(4, 16), frames)
    limits = some.floats(1e-4, 10)

    @settings(max_examples=60, deadline=None)
    @given(shapes, limits, limits, some.integers(2**19, 2**24), some.booleans(), some.booleans())
    def check(
        wanted: tuple[int, int, int], patience: float, deadline: float, memory: int, size: bool, count: bool
    ) -> None:
        judged = fitting(meter, Bounds(patience, deadline, memory))
        shape = Shape((wanted[0] * 16, wanted[1] * 16), wanted[2] and frames_like(meter._pipe, wanted[2] * 4))
        try:
            found, note = judged.fitted(shape, size_asked=size, frames_asked=count)
        except (TooLarge, OutOfMemory) as error:
            if said := re.search(r"Up to (\d+) × (\d+) (?:pixels|with (\d+) frames) would do", error.detail):
                hint = Shape((int(said[1]), int(said[2])), int(said[3] or 0))
                assert judged.bounds.hold(judged.need(hint))
                assert judged.fitted(hint, size_asked=True, frames_asked=True) == (hint, "")
            return
        assert judged.bounds.hold(judged.need(found), 1 if note else DOUBT)
        assert found.size == shape.size or not size
        assert found.frames == shape.frames or not count

    check()


def test_the_largest_shape_that_fits_is_close_below_the_limit(meters: Any):
    judged = fitting(meters("StableDiffusion"), Bounds(30, 1.5, 2**40))
    found, note = judged.fitted(Shape((2048, 2048)), size_asked=False, frames_asked=False)
    assert 0.3 < judged.need(found).total <= 0.5
    assert f"It was made at {found}: 2048 × 2048 pixels" in note


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0213, "0.021 s"), (45, "45 s"), (100, "2 minutes"), (3000, "50 minutes"), (9000, "2 hours")],
)
def test_durations_are_said_in_one_unit(seconds: float, said: str):
    assert spoken(seconds) == said


# --- requests -----------------------------------------------------------------------------------


def test_a_clip_that_would_hold_the_thread_for_an_hour_is_refused_at_once(filmer: DiffusionRunner):
    began = time.thread_time()
    with pytest.raises(
        TooLarge, match=r"704 × 512 with 161 frames would take ltx about .* a step here.*Up to"
    ):
        drawn(filmer, film(width=704, height=512, num_frames=161))
    assert time.thread_time() - began < 10


def test_a_clip_that_nobody_gave_a_size_is_made_as_large_as_time_allows(filmer: DiffusionRunner):
    events = drawn(filmer, film().model_copy(update={"timeout_ms": 2000}))
    (made,) = (event for event in events if isinstance(event, VideoReady))
    assert isinstance(events[-1], Finished)
    assert re.match(r"It was made at \d+ × \d+ with \d+ frames: 704 × 512 with 161", events[-1].notes[0])
    assert 1 < made.frame_count < 161


def test_what_takes_longer_than_the_request_may_is_refused(filmer: DiffusionRunner):
    asked = film(width=256, height=256, num_frames=41, steps=100).model_copy(update={"timeout_ms": 60_000})
    with pytest.raises(
        TooLarge, match=r"more than the 60 s that the request may take\. Up to \d+ × \d+ with"
    ):
        drawn(filmer, asked)


def test_an_edit_of_a_large_picture_is_made_smaller_and_says_so(tmp_path: Path):
    from PIL import Image

    runner = steady(open_runner(build("StableDiffusion", tmp_path / "painter")))
    Image.new("RGB", (2000, 1000), "red").save(tmp_path / "large.png")
    runner.patience = 0.004
    events = drawn(runner, edit(tmp_path / "large.png"))
    assert isinstance(events[-1], Finished)
    assert results(events)
    assert events[-1].notes[-1].startswith("The picture was brought from 2000 × 1000 to ")


def test_patience_is_the_operators(filmer: DiffusionRunner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(filmer, "patience", 1e-6)
    with pytest.raises(InferenceChatError, match="No smaller size would do"):
        drawn(filmer, film(width=64, height=64, num_frames=9))


def test_totals_are_steps_and_the_decoding():
    assert Cost(step=2.0, longest=1.0, decoding=5.0).total(10) == 25.0


def test_large_pictures_are_decoded_in_tiles_by_a_copy(tmp_path: Path):
    painter = steady(open_runner(build("StableDiffusion", tmp_path / "painter")))

    def planned(**size: Any) -> plans.Plan:
        return plans.plan(painter._pipe, "draw", draw(**size), "tiny", painter._meter, 30)

    assert planned(width=1024, height=1024).tiled
    assert not planned().tiled
    drawn(painter, draw())
    assert not painter._pipe.vae.use_tiling
