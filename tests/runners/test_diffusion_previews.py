"""Previews: the guess of each scheduler, latents in every layout, colours that are learnt from pictures."""

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inference_chat.runners.diffusion.pieces import Lane, Pieces
from inference_chat.runners.diffusion.previews import SHARE, Pace, Previews, spatial
from inference_chat.runners.diffusion.steps import watched

# diffusers' schedulers are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
COLOURS = torch.tensor([[0.5, -0.2, 0.1, 0.0], [0.0, 0.4, -0.3, 0.1], [0.2, 0.1, 0.3, -0.5]])


class Decoder(torch.nn.Module):
    """Colours that are a linear function of the latents, 8 times enlarged."""

    config = SimpleNamespace(latent_channels=4, scaling_factor=0.5, shift_factor=None, latents_mean=None)
    dtype = torch.float32

    def decode(self, latents: Any, return_dict: bool) -> tuple[Any]:
        small = torch.einsum("oc,bchw->bohw", COLOURS, latents)
        return (torch.nn.functional.interpolate(small, scale_factor=8.0),)


class Failing(Decoder):
    def decode(self, latents: Any, return_dict: bool) -> tuple[Any]:
        raise TypeError("it wants a time besides")


def pipe(vae: Any = None, **config: Any) -> Any:
    """What previews look at in a pipeline."""
    part = SimpleNamespace(config=SimpleNamespace(**{"patch_size": None, "in_channels": 4} | config))
    return SimpleNamespace(vae=vae, transformer=None, unet=part, vae_scale_factor=8)


def shown(previews: Previews, one: Any, latents: Any) -> np.ndarray[Any, Any]:
    size = latents.shape[-1] * 8, latents.shape[-2] * 8
    found = previews.picture(one, latents, size)
    assert found is not None
    return np.asarray(Image.open(io.BytesIO(found.data)), dtype=float)


def latents(seed: int = 0) -> Any:
    """Smooth ones, as those of pictures are."""
    noise = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=(24, 16), mode="bilinear") * 0.4


def drawn(vae: Any, values: Any) -> Image.Image:
    made = vae.decode(values / 0.5, return_dict=False)[0][0]
    return Image.fromarray(((made / 2 + 0.5).clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy())


def test_a_quick_decoder_is_asked():
    vae = Decoder()
    found = shown(Previews(), pipe(vae), latents())
    assert np.abs(found - np.asarray(drawn(vae, latents()), dtype=float)).mean() < 6


def test_colours_are_fitted_to_what_a_slow_decoder_makes_of_a_little_noise():
    vae, previews = Decoder(), Previews()
    shown(previews, pipe(vae), latents())
    previews._decode_seconds = 60.0
    found = shown(previews, pipe(vae), latents(3))
    assert np.abs(found - np.asarray(drawn(vae, latents(3)), dtype=float)).mean() < 6


def test_a_decoder_that_wants_more_is_learnt_from_pictures():
    previews, one = Previews(), pipe(Failing())
    wanted = np.asarray(drawn(Decoder(), latents(9)), dtype=float)
    before = np.abs(shown(previews, one, latents(9)) - wanted).mean()
    for seed in range(3):
        previews.learn(one, latents(seed), drawn(Decoder(), latents(seed)))
    assert np.abs(shown(previews, one, latents(9)) - wanted).mean() < 6 < before


def test_pixels_need_no_decoder():
    grey = torch.zeros(1, 3, 16, 16)
    found = Previews().picture(pipe(None), grey, (16, 16))
    assert found is not None
    assert np.asarray(Image.open(io.BytesIO(found.data))).mean() == pytest.approx(127.5, abs=1)


@pytest.mark.parametrize(
    ("shape", "config"),
    [
        ((1, 4, 2, 3), {}),
        ((1, 4, 5, 2, 3), {}),
        ((1, 5, 4, 2, 3), {}),
        ((1, 6, 4), {"patch_size": 1}),
        ((1, 30, 4), {"patch_size": 1}),
    ],
    ids=["picture", "clip", "frames first", "tokens", "tokens of a clip"],
)
def test_the_picture_or_the_middle_frame_is_found(shape: tuple[int, ...], config: dict[str, Any]):
    values = torch.arange(float(np.prod(shape))).reshape(shape)
    found = spatial(pipe(Decoder(), **config), values, (24, 16))
    assert tuple(found.shape) == (4, 2, 3)


def test_packed_tokens_are_those_that_flux_unpacks():
    from diffusers import FluxPipeline

    tokens = torch.randn(1, 6, 16)
    found = spatial(pipe(Decoder(), in_channels=16, patch_size=1), tokens, (48, 32))
    assert torch.equal(found, FluxPipeline._unpack_latents(tokens, 32, 48, 8)[0])


def test_latents_in_an_unknown_layout_have_no_preview():
    assert Previews().picture(pipe(Decoder()), torch.zeros(1, 7, 5), (24, 16)) is None


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("DDIM", {}),
        ("EulerDiscrete", {}),
        ("DPMSolverMultistep", {}),
        ("DPMSolverMultistep", {"algorithm_type": "sde-dpmsolver++"}),
        ("FlowMatchEulerDiscrete", {}),
    ],
)
def test_at_the_last_step_the_guess_is_the_picture(name: str, config: dict[str, str]):
    import diffusers

    scheduler = watched(getattr(diffusers, f"{name}Scheduler")(**config))
    scheduler.set_timesteps(4)

    def loop() -> None:
        values = torch.randn(1, 4, 8, 8)
        for moment in scheduler.timesteps:
            values = scheduler.step(values * 0.3, moment, values, return_dict=False)[0]

    steps = list(Pieces(loop, Lane(), 1))
    gaps = [float((step.guess - step.latents).abs().mean()) for step in steps]
    assert len(steps) == 4
    assert gaps[0] > 0.01
    assert gaps[-1] == pytest.approx(0, abs=2e-2)


def test_previews_take_a_small_part_of_the_time():
    pace = Pace()
    assert pace.due()
    pace.took(100.0)
    assert not pace.due()
    pace.took(0.0)
    assert pace.due()
    assert SHARE <= 0.1
