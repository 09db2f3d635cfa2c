"""Pictures: every family of pipelines, seeds, previews, stops, sizes, edits, and what is refused."""

import io
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from inference_chat.errors import InvalidRequest, ModelFailed, OutOfMemory, UnsupportedTask
from inference_chat.events import Event, Finished, ImageReady, Progress, TextDelta
from inference_chat.runners.diffusion import DiffusionRunner, PictureOptions, plans
from inference_chat.runners.text import TextRunner

from . import models
from .diffusers_models import (
    PICTURES,
    build,
    draw,
    drawn,
    edit,
    film,
    in_turn,
    open_runner,
    pixels,
    results,
)

# diffusers' schedulers are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

UNUSUAL: dict[str, dict[str, Any]] = {
    "Flux": {"width": 64, "height": 32},
    "Sana": {"width": 64, "height": 64},
}
DRAWS_ONLY = ("DiT", "PixArt", "Sana", "DDPM")


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Loaded runners by family, each made once."""
    made: dict[str, DiffusionRunner] = {}

    def get(kind: str) -> DiffusionRunner:
        if kind not in made:
            made[kind] = open_runner(build(kind, tmp_path_factory.mktemp(kind) / kind))
        return made[kind]

    return get


@pytest.fixture
def painter(runners: Any) -> DiffusionRunner:
    return runners("StableDiffusion")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.radial_gradient("L").resize((96, 48)).convert("RGB").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """The left half is white."""
    half = Image.new("L", (96, 48))
    half.paste(255, (0, 0, 48, 48))
    half.save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def finished(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


# --- every family -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PICTURES)
def test_every_family_draws_and_the_same_seed_draws_the_same(runners: Any, kind: str):
    asked = draw(**UNUSUAL.get(kind, {}))
    one, same = (pixels(results(drawn(runners(kind), asked))[0]) for _ in range(2))
    other = pixels(results(drawn(runners(kind), draw(**UNUSUAL.get(kind, {}) | {"seed": 4})))[0])
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", [kind for kind in PICTURES if kind not in DRAWS_ONLY])
def test_weights_that_draw_also_edit_and_repaint(runners: Any, kind: str, photo: Path, mask: Path):
    size = UNUSUAL.get(kind, {})
    for asked in (edit(photo, **size), edit(photo, mask, **size)):
        (made,) = results(drawn(runners(kind), asked))
        assert pixels(made).std() > 0


@pytest.mark.parametrize("kind", ["StableDiffusion", "Flux"])
def test_a_picture_is_that_of_the_bare_pipeline(runners: Any, kind: str):
    size, runner = UNUSUAL.get(kind, {"width": 64, "height": 64}), runners(kind)
    seeded = torch.Generator().manual_seed(3)
    bare = runner._pipe("goldfish", num_inference_steps=2, generator=seeded, **size).images[0]
    made = drawn(runner, draw(**size))
    assert np.array_equal(pixels(results(made)[0]), np.asarray(bare))


def test_an_upscaler_makes_a_picture_four_times_as_large(runners: Any, tmp_path: Path):
    Image.linear_gradient("L").resize((24, 16)).convert("RGB").save(tmp_path / "small.png")
    (made,) = results(drawn(runners("Upscaler"), edit(tmp_path / "small.png", steps=1, strength=1)))
    assert pixels(made).shape == (64, 96, 3)


@pytest.mark.parametrize("kind", ["StableDiffusion", "StableDiffusion3", "Flux"])
def test_half_the_bytes_draw_and_edit_too(tmp_path: Path, photo: Path, kind: str):
    runner, size = open_runner(build(kind, tmp_path / kind), "bfloat16"), UNUSUAL.get(kind, {})
    assert runner._pipe.dtype == torch.bfloat16
    assert results(drawn(runner, draw(**size)))
    assert results(drawn(runner, edit(photo, **size)))
    assert runner._pipe.dtype == torch.bfloat16


# --- one among others ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["StableDiffusion", "StableDiffusion3", "DiT", "DDPM"])
def test_runs_of_one_model_that_take_turns_do_not_disturb_each_other(runners: Any, kind: str):
    runner = runners(kind)
    asked = [draw(seed=seed, steps=steps) for seed, steps in ((3, 4), (4, 2), (5, 3))]
    alone = [pixels(results(drawn(runner, one))[0]) for one in asked]
    together = in_turn([runner.run(one, Flag()) for one in asked])
    assert all(np.array_equal(a, pixels(results(b)[0])) for a, b in zip(alone, together, strict=True))


def test_a_text_model_writes_the_same_between_the_steps_of_a_picture(
    painter: DiffusionRunner, tiny_runner: TextRunner
):
    asked = models.request("the other one", temperature=1, seed=5)
    alone = list(tiny_runner.run(asked, Flag()))
    written, picture = in_turn([tiny_runner.run(asked, Flag()), painter.run(draw(steps=6), Flag())])
    text = [[e.text for e in log if isinstance(e, TextDelta)] for log in (alone, written)]
    assert text[0] == text[1]
    assert np.array_equal(pixels(results(picture)[0]), pixels(results(drawn(painter, draw(steps=6)))[0]))


def test_between_steps_torch_is_left_as_it_was(painter: DiffusionRunner):
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    run = painter.run(draw(steps=4), Flag())
    next(event for event in run if isinstance(event, Progress) and event.phase == "working")
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch.equal(torch.rand(3), wanted)


# --- a stop, and progress -----------------------------------------------------------------------


def test_a_stop_ends_a_picture_within_one_step_and_the_model_goes_on(painter: DiffusionRunner):
    stop, wanted = Flag(), pixels(results(drawn(painter, draw()))[0])
    run = painter.run(draw(steps=500, preview=False), stop)
    next(event for event in run if isinstance(event, Progress) and event.done == 3)
    stop.set()
    (rest,) = run
    assert isinstance(rest, Finished)
    assert rest.finish_reasons == ("cancelled",)
    assert np.array_equal(pixels(results(drawn(painter, draw()))[0]), wanted)


def test_a_run_that_is_closed_lets_the_next_one_in(painter: DiffusionRunner):
    run: Any = painter.run(draw(steps=500), Flag())
    next(event for event in run if isinstance(event, Progress) and event.phase == "working")
    run.close()
    assert painter._lane.holder is None
    assert torch.is_grad_enabled()
    assert results(drawn(painter, draw()))


def test_a_stop_keeps_the_pictures_that_are_done(painter: DiffusionRunner):
    stop, kept = Flag(), []
    for event in painter.run(draw(n=3, preview=False), stop):
        kept.append(event)
        if isinstance(event, ImageReady):
            stop.set()
    assert len(results(kept)) == 1
    assert finished(kept).finish_reasons == ("cancelled",)


@pytest.mark.parametrize("kind", ["StableDiffusion", "Flux"])
def test_progress_counts_steps_and_never_goes_back(runners: Any, kind: str):
    events = drawn(runners(kind), draw(n=2, steps=3, **UNUSUAL.get(kind, {})))
    told = [event for event in events if isinstance(event, Progress)]
    fractions = [event.fraction or 0 for event in told]
    assert fractions == sorted(fractions)
    assert sorted((event.phase for event in told), key=["reading", "working"].index) == [
        event.phase for event in told
    ]
    assert [(e.done, e.total, e.unit) for e in told if e.phase == "working"][-1] == (6, 6, "steps")


def test_previews_come_between_steps_and_can_be_left_out(painter: DiffusionRunner):
    with_them, without = (drawn(painter, draw(steps=5, preview=wanted)) for wanted in (True, False))
    shown = [e for e in with_them if isinstance(e, ImageReady) and e.role == "preview"]
    assert shown
    assert {event.image.media_type for event in shown} == {"image/jpeg"}
    assert [e for e in without if isinstance(e, ImageReady)] == results(without)
    assert results(with_them)[0] == results(without)[0]


def test_a_film_has_every_step_with_its_noise_and_without(painter: DiffusionRunner):
    events = drawn(painter, draw(steps=5, film=True))
    shown = [e for e in events if isinstance(e, ImageReady)]
    assert [event.role for event in shown] == [*["noisy", "preview"] * 5, "result"]
    first, last = (np.abs(pixels(shown[at]).astype(int) - pixels(shown[at + 1])).mean() for at in (0, 8))
    assert last < first  # the noise is gone at the end
    assert results(events)[0] == results(drawn(painter, draw(steps=5)))[0]


# --- several pictures, settings -----------------------------------------------------------------


def test_picture_i_has_the_next_seeds(painter: DiffusionRunner):
    three = results(drawn(painter, draw(n=3, seed=7)))
    assert [(event.index, event.seed) for event in three] == [(0, 7), (1, 8), (2, 9)]
    assert np.array_equal(pixels(three[2]), pixels(results(drawn(painter, draw(seed=9)))[0]))


def test_the_receipt_and_the_file_say_how_to_get_it_again(painter: DiffusionRunner):
    events = drawn(painter, draw(seed=None, negative_prompt="rain"))
    receipt = finished(events).receipt
    assert receipt is not None
    options = receipt.options
    assert isinstance(options, PictureOptions)
    again = draw(**options.model_dump())
    assert np.array_equal(pixels(results(events)[0]), pixels(results(drawn(painter, again))[0]))
    text = Image.open(io.BytesIO(results(events)[0].image.data)).info["parameters"]
    assert text.startswith("goldfish\nNegative prompt: rain\nSteps: 2, Sampler: DDIM, CFG scale: 7.5")
    assert f"Seed: {receipt.seed}, Size: 64x64" in text


@pytest.mark.parametrize(
    "name", ["EulerAncestral", "heundiscrete", "DPMSolverMultistep", "UniPCMultistepScheduler"]
)
def test_another_scheduler_draws_another_picture(painter: DiffusionRunner, name: str):
    own, other = (results(drawn(painter, draw(steps=3, scheduler=kind)))[0] for kind in (None, name))
    assert not np.array_equal(pixels(own), pixels(other))


def test_an_unknown_scheduler_is_refused_with_those_there_are(painter: DiffusionRunner):
    with pytest.raises(InvalidRequest, match=r"no scheduler 'Magic'; it can use .*EulerAncestralDiscrete"):
        drawn(painter, draw(scheduler="Magic"))


def test_a_negative_prompt_counts(painter: DiffusionRunner):
    one, other = (results(drawn(painter, draw(negative_prompt=text)))[0] for text in ("", "a grey sky"))
    assert not np.array_equal(pixels(one), pixels(other))


def test_one_step_is_enough(painter: DiffusionRunner):
    assert results(drawn(painter, draw(steps=1)))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 1001}, {"n": 0}, {"width": 4097}, {"seed": -1}])
def test_options_out_of_bounds_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        draw(**wrong)


# --- sizes and prompts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "size", "hint"),
    [
        ("StableDiffusion", {"width": 100, "height": 64}, "multiples of 8: 96 × 64 would work"),
        ("StableDiffusion3", {"width": 72, "height": 64}, "multiples of 16, at most 256 × 256: 64 × 64"),
        ("StableDiffusion3", {"width": 512, "height": 64}, "256 × 64 would work"),
        ("DDPM", {"width": 32}, "16 × 16 pixels only, not 32 × 32: leave width and height out"),
    ],
)
def test_sizes_a_model_cannot_do_are_refused_with_what_would_work(
    runners: Any, kind: str, size: dict[str, Any], hint: str
):
    with pytest.raises(InvalidRequest, match=hint):
        drawn(runners(kind), draw(**size))


def test_a_size_that_does_not_fit_into_memory_is_refused(
    painter: DiffusionRunner, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(plans, "memory_free", lambda: 1 << 20)
    with pytest.raises(OutOfMemory, match=r"64 × 64 pixels; 1 MiB are free\. No smaller size would do"):
        drawn(painter, draw())


def test_the_end_of_a_long_prompt_is_told(painter: DiffusionRunner):
    events = drawn(painter, draw("x" * 77 + " and a mermaid"))
    assert "this was left out: and a mermaid" in finished(events).notes[0]


def test_an_empty_prompt_draws(painter: DiffusionRunner):
    assert results(drawn(painter, draw("")))


def test_a_model_of_classes_takes_their_names(runners: Any):
    by_name, by_number = (results(drawn(runners("DiT"), draw(text)))[0] for text in ("Tinca", "0"))
    assert np.array_equal(pixels(by_name), pixels(by_number))
    with pytest.raises(InvalidRequest, match="name one, such as goldfish"):
        drawn(runners("DiT"), draw("gold fish"))


def test_a_model_without_prompts_says_so(runners: Any):
    assert "without a prompt" in finished(drawn(runners("DDPM"), draw("a dog"))).notes[0]


# --- edits --------------------------------------------------------------------------------------


def test_an_edit_keeps_the_proportions_and_says_what_was_changed(painter: DiffusionRunner, photo: Path):
    events = drawn(painter, edit(photo))
    assert pixels(results(events)[0]).shape == (48, 88, 3)
    assert finished(events).notes == ("The picture was brought from 96 × 48 to 88 × 48.",)


def test_little_strength_keeps_more_of_the_picture(painter: DiffusionRunner, photo: Path):
    size: dict[str, Any] = {"width": 96, "height": 48, "steps": 10}
    weak, strong = (pixels(results(drawn(painter, edit(photo, strength=s, **size)))[0]) for s in (0.1, 1.0))
    assert not np.array_equal(weak, strong)


def test_too_few_steps_for_the_strength_are_refused(painter: DiffusionRunner, photo: Path):
    with pytest.raises(InvalidRequest, match=r"With strength 0\.1 at least 10 steps are needed, not 3"):
        drawn(painter, edit(photo, strength=0.1))


def test_only_what_is_white_in_the_mask_changes(painter: DiffusionRunner, photo: Path, mask: Path):
    events = drawn(painter, edit(photo, mask, width=96, height=48))
    made, before = pixels(results(events)[0]), np.asarray(Image.open(photo))
    assert np.array_equal(made[:, 48:], before[:, 48:])
    assert not np.array_equal(made[:, :48], before[:, :48])


def test_a_black_mask_is_refused(painter: DiffusionRunner, photo: Path, tmp_path: Path):
    Image.new("L", (96, 48)).save(tmp_path / "black.png")
    with pytest.raises(InvalidRequest, match="black all over: paint white"):
        drawn(painter, edit(photo, tmp_path / "black.png"))


def test_a_model_that_cannot_repaint_says_so(runners: Any, photo: Path, mask: Path):
    with pytest.raises(InvalidRequest, match="leave the mask out"):
        drawn(runners("Upscaler"), edit(photo, mask))


def test_a_task_the_model_cannot_do_is_refused(painter: DiffusionRunner):
    with pytest.raises(UnsupportedTask, match="text-to-image"):
        drawn(painter, film())


# --- what goes wrong ----------------------------------------------------------------------------


def test_numbers_that_are_not_finite_are_told(tmp_path: Path):
    runner = open_runner(build("StableDiffusion", tmp_path / "broken"))
    runner._pipe.unet.conv_out.bias.data.fill_(float("nan"))
    with pytest.raises(ModelFailed, match="DTYPE=float32"):
        drawn(runner, draw())
    assert runner._lane.holder is None


def test_what_a_pipeline_refuses_is_told(painter: DiffusionRunner):
    with pytest.raises(InvalidRequest, match="cannot do this"):
        drawn(painter, draw(scheduler="PNDM", steps=3))


def test_unloading_frees_every_weight(tmp_path: Path):
    import gc
    import weakref

    runner = open_runner(build("StableDiffusion", tmp_path / "gone"))
    drawn(runner, draw())
    parts = [
        weakref.ref(part) for part in runner._pipe.components.values() if isinstance(part, torch.nn.Module)
    ]
    runner.unload()
    gc.collect()
    assert len(parts) == 3
    assert [part for part in parts if part() is not None] == []
