"""Folders of diffusers: what is found without loading, and what is refused, loaded or not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from inference_chat.errors import InvalidModel, UnsafeModel, UnsupportedTask
from inference_chat.runners import family_of, words_of
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.diffusion.abilities import ways_of
from inference_chat.tasks import Task

from .diffusers_models import CLIPS, OTHERS, PICTURES, build, draw, drawn, open_runner, pixels, results

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("StableDiffusion", tmp_path_factory.mktemp("folders") / "painter")


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The same model, to be changed."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def index(folder: Path, **changes: Any) -> Path:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def test_a_look_tells_parts_sizes_and_tasks(whole: Path):
    found = inspect(whole)
    files = list(whole.rglob("*.safetensors"))
    assert set(found.variants) == {"unet", "vae", "text_encoder"}
    assert set(found.files) == set(files)
    assert found.file_size == sum(file.stat().st_size for file in files)
    assert found.tensors.elements == sum(t.size for file in files for t in load_file(file).values())
    assert family_of(found).tasks == (Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE)
    assert words_of(family_of(found), found) == ("ImageGeneration", "ImageEditing")
    assert found.framework == "diffusers"


def test_every_part_counts_for_the_digest(whole: Path, copy: Path):
    assert inspect(copy).digest == inspect(whole).digest
    weights = load_file(copy / "vae" / WEIGHTS)
    save_file({name: tensor + 1 for name, tensor in weights.items()}, copy / "vae" / WEIGHTS)
    assert inspect(copy).digest != inspect(whole).digest


@pytest.mark.parametrize(
    ("kind", "tasks"),
    [
        *((kind, {Task.TEXT_TO_IMAGE}) for kind in ("DiT", "PixArt", "Sana", "DDPM")),
        *((kind, {Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE}) for kind in ("StableDiffusion3", "Flux")),
        *((kind, {Task.TEXT_TO_VIDEO}) for kind in ("Wan", "CogVideoX", "AnimateDiff")),
        ("LTX", {Task.TEXT_TO_VIDEO, Task.IMAGE_TO_VIDEO}),
        ("CogVideoXImage", {Task.IMAGE_TO_VIDEO}),
        ("Upscaler", {Task.IMAGE_TO_IMAGE}),
    ],
)
def test_tasks_are_found_from_the_index(tmp_path: Path, kind: str, tasks: set[Task]):
    assert kind in PICTURES | CLIPS | OTHERS
    assert set(family_of(inspect(build(kind, tmp_path / kind))).tasks) == tasks


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("StableDiffusionXLInpaintPipeline", {"repaint"}),
        ("StableDiffusionInstructPix2PixPipeline", {"edit"}),
        ("StableVideoDiffusionPipeline", {"animate"}),
        ("QwenImagePipeline", {"draw", "edit", "repaint"}),
    ],
)
def test_ways_are_those_of_diffusers_own_table(name: str, ways: set[str]):
    assert set(ways_of({"_class_name": name})) == ways


def test_the_table_names_classes_that_diffusers_has(whole: Path):
    import diffusers

    assert all(hasattr(diffusers, name) for name in ways_of(inspect(whole).config).values())


@pytest.mark.parametrize("name", ["StableDiffusionControlNetPipeline", "StableAudioPipeline"])
def test_pipelines_for_something_else_are_refused(copy: Path, name: str):
    with pytest.raises(UnsupportedTask, match=name):
        family_of(inspect(index(copy, _class_name=name)))


def test_an_unknown_pipeline_is_refused(copy: Path):
    with pytest.raises(InvalidModel, match="a newer one may know it"):
        family_of(inspect(index(copy, _class_name="TimeMachinePipeline")))


# --- unsafe, broken -----------------------------------------------------------------------------


def only_a_pickle(folder: Path) -> None:
    (folder / "unet" / WEIGHTS).rename(folder / "unet" / "diffusion_pytorch_model.bin")


def own_code(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "net.py").write_text("raise SystemExit")
    index(folder, mine=["net", "Net"])


def own_pipeline(folder: Path) -> None:
    index(folder, _class_name=["pipeline", "Mine"])


def outside(folder: Path) -> None:
    index(folder, **{"../other": ["diffusers", "AutoencoderKL"]})


def no_part(folder: Path) -> None:
    shutil.rmtree(folder / "vae")


def cut_short(folder: Path) -> None:
    file = folder / "unet" / WEIGHTS
    file.write_bytes(file.read_bytes()[:-100])


def no_weights(folder: Path) -> None:
    (folder / "text_encoder" / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "error", "hint"),
    [
        (only_a_pickle, UnsafeModel, "can run code when opened"),
        (own_code, UnsafeModel, "never executed"),
        (own_pipeline, UnsafeModel, "never executed"),
        (outside, UnsafeModel, "outside of the folder"),
        (no_part, InvalidModel, "lacks its 'vae': finish the download"),
        (cut_short, InvalidModel, "cut short"),
        (no_weights, InvalidModel, "'text_encoder' has no weights"),
    ],
)
def test_what_cannot_be_loaded_is_refused_at_a_look(
    copy: Path, damage: Callable[[Path], None], error: type[Exception], hint: str
):
    damage(copy)
    with pytest.raises(error, match=hint) as refusal:
        inspect(copy)
    assert str(copy) not in str(refusal.value)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_missing_tensors_are_refused(copy: Path, part: str):
    (file,) = (copy / part).glob("*.safetensors")
    weights = load_file(file)
    gone = sorted(weights)[0]
    save_file({name: tensor for name, tensor in weights.items() if name != gone}, file, {"format": "pt"})
    with pytest.raises(InvalidModel, match=f"The {part} of copy lacks 1 tensors that its architecture needs"):
        open_runner(copy)


def test_a_part_of_another_shape_is_refused_without_a_path(copy: Path):
    config = copy / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"cross_attention_dim": 24}))
    with pytest.raises(InvalidModel) as refusal:
        open_runner(copy)
    assert str(copy.parent) not in str(refusal.value)


# --- what is left out ---------------------------------------------------------------------------


def test_a_variant_is_loaded_where_it_is_all_there_is(copy: Path, whole: Path):
    for file in copy.rglob("*.safetensors"):
        file.rename(file.with_name(file.name.replace(".safetensors", ".fp16.safetensors")))
    assert set(inspect(copy).variants.values()) == {"fp16"}
    (one,), (same,) = (results(drawn(open_runner(folder), draw())) for folder in (copy, whole))
    assert np.array_equal(pixels(one), pixels(same))


def test_of_two_variants_the_plain_one_is_loaded(copy: Path, whole: Path):
    for file in list(copy.rglob("*.safetensors")):
        shutil.copy(file, file.with_name(file.name.replace(".safetensors", ".fp16.safetensors")))
    assert inspect(copy).variants["unet"] is None
    assert inspect(copy).tensors == inspect(whole).tensors


def test_a_safety_checker_is_not_loaded(copy: Path):
    index(copy, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    assert results(drawn(open_runner(copy), draw()))
