"""Which sizes and lengths a pipeline can do, read from its parts; others are refused with what would work."""

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...errors import InvalidRequest

SCALES = ("vae_scale_factor", "vae_scale_factor_spatial", "vae_spatial_compression_ratio")
TEMPORAL = ("vae_scale_factor_temporal", "vae_temporal_compression_ratio")
USUAL_SIDE = 512
LONG_CLIP = 60
SLOW, SMOOTH = 8.0, 16.0
"""Frames a second of short clips and of long ones, where a model does not say."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Canvas:
    """Sizes in pixels, (width, height): what is drawn unasked, and what else can be."""

    native: Size
    multiple: int = 1
    largest: Size | None = None
    fixed: bool = False

    def checked(self, name: str, width: int | None, height: int | None) -> Size:
        """The size that was asked for, completed; raises `InvalidRequest` when the model cannot do it."""
        size = (width or height or self.native[0], height or width or self.native[1])
        if width is None and height is None:
            return self.native
        asked = f"{size[0]} × {size[1]}"
        if self.fixed and size != self.native:
            raise InvalidRequest(
                f"{name} makes {self.native[0]} × {self.native[1]} pixels only, not {asked}: "
                "leave width and height out."
            )
        fits = self.nearest(size)
        if fits != size:
            rule = f"sides that are multiples of {self.multiple}"
            most = f", at most {self.largest[0]} × {self.largest[1]}" if self.largest else ""
            raise InvalidRequest(
                f"{name} cannot make {asked} pixels, only {rule}{most}: {fits[0]} × {fits[1]} would work."
            )
        return size

    def nearest(self, size: Size) -> Size:
        """The possible size that is closest."""
        if self.fixed:
            return self.native
        most = self.largest or size
        width, height = (
            max(1, round(min(side, top) / self.multiple)) * self.multiple
            for side, top in zip(size, most, strict=True)
        )
        return width, height

    def like(self, size: Size) -> Size:
        """The possible size with a picture's proportions and as many pixels as the model was made for."""
        scale = (self.native[0] * self.native[1] / (size[0] * size[1])) ** 0.5
        return self.nearest((max(1, round(size[0] * scale)), max(1, round(size[1] * scale))))


def canvas_of(pipe: Any) -> Canvas:
    """What a pipeline can draw on."""
    native, side = _native(pipe, scale_of(pipe)), side_of(pipe)
    limit = getattr(config_of(pipe), "pos_embed_max_size", None)
    return Canvas(
        native=native,
        multiple=math.lcm(side, _demanded(getattr(type(pipe), "check_inputs", None))),
        largest=(limit * side, limit * side) if limit else None,
        fixed="height" not in parameters_of(pipe) and "image" not in parameters_of(pipe),
    )


def scale_of(pipe: Any) -> int:
    """Pixels for each latent, along a side."""
    if getattr(pipe, "vae", None) is None:
        return 1
    found = next((getattr(pipe, name) for name in SCALES if getattr(pipe, name, None)), None)
    return int(found or 2 ** (len(pipe.vae.config.block_out_channels) - 1))


def patch_of(pipe: Any) -> int:
    """Latents for each token of the denoiser, along a side; 1 for a U-Net."""
    config = config_of(pipe)
    patch = getattr(config, "patch_size", None)
    side = int(patch[-1] if isinstance(patch, list | tuple) else patch or 1)
    return 2 if side == 1 and getattr(config, "in_channels", 0) == 4 * latent_channels(pipe) else side


def side_of(pipe: Any) -> int:
    """Pixels for each token of the denoiser, along a side."""
    return scale_of(pipe) * patch_of(pipe)


def patch_of_time(pipe: Any) -> int:
    """Latent frames for each token of the denoiser."""
    config = config_of(pipe)
    patch = getattr(config, "patch_size", None)
    own = patch[0] if isinstance(patch, list | tuple) and len(patch) == 3 else None
    return int(getattr(config, "patch_size_t", None) or own or 1)


def time_step_of(pipe: Any) -> int:
    """Frames for each latent frame but the first."""
    return next((int(getattr(pipe, part)) for part in TEMPORAL if getattr(pipe, part, None)), 1)


def latent_frames(pipe: Any, frames: int) -> int:
    """Latent frames of a clip; 1 for a picture."""
    return -(-(max(1, frames) - 1) // time_step_of(pipe)) + 1


def latent_channels(pipe: Any) -> int:
    """Numbers for each place in the latents; 3 where pixels are drawn themselves."""
    config = getattr(getattr(pipe, "vae", None), "config", None)
    return int(getattr(config, "latent_channels", None) or getattr(config, "z_dim", None) or 3)


def frames_of(pipe: Any, name: str, asked: int | None) -> int:
    """How many frames to draw; raises `InvalidRequest` when the model cannot do that many."""
    config = config_of(pipe)
    own = getattr(config, "sample_frames", None) or getattr(config, "num_frames", None)
    default = parameters_of(pipe)["num_frames"].default if "num_frames" in parameters_of(pipe) else None
    fits = frames_like(pipe, asked or default or own or 16)
    if asked is not None and fits != asked:
        step, most = time_step_of(pipe), _most_frames(pipe)
        rule = f"one frame more than a multiple of {step}" if step > 1 else f"at most {most} frames"
        if _only_frames(pipe):
            rule = "as many as it was made for"
        raise InvalidRequest(f"{name} cannot make {asked} frames, only {rule}: {fits} would work.")
    return fits


def frames_like(pipe: Any, frames: int) -> int:
    """The possible number of frames that is closest."""
    if only := _only_frames(pipe):
        return only
    step, most = time_step_of(pipe), _most_frames(pipe)
    fits = max(1, round((frames - 1) / step) * step + 1)
    return min(fits, most) if most else fits


def _most_frames(pipe: Any) -> int | None:
    config = getattr(getattr(pipe, "motion_adapter", None), "config", None)
    most = getattr(config, "motion_max_seq_length", None)
    return int(most) if most else None


def _only_frames(pipe: Any) -> int | None:
    """Of models that number the frames (Latte's): neither fewer nor more."""
    only = getattr(config_of(pipe), "video_length", None)
    return int(only) if only else None


def fps_of(pipe: Any, frames: int) -> float:
    """Frames a second that a clip is shown at."""
    for name in ("frame_rate", "fps"):
        default = parameters_of(pipe)[name].default if name in parameters_of(pipe) else None
        if isinstance(default, int | float):
            return float(default)
    return SMOOTH if frames > LONG_CLIP else SLOW


def parameters_of(pipe: Any) -> dict[str, inspect.Parameter]:
    """What a pipeline's call takes."""
    return dict(inspect.signature(type(pipe).__call__).parameters)


def denoiser_of(pipe: Any) -> Any:
    """The part that takes the noise away."""
    return getattr(pipe, "transformer", None) or getattr(pipe, "unet", None) or getattr(pipe, "decoder", None)


def config_of(pipe: Any) -> Any:
    """The settings of the part that takes the noise away."""
    return getattr(denoiser_of(pipe), "config", None)


@lru_cache(maxsize=64)
def _demanded(check: Callable[..., None] | None) -> int:
    """What a pipeline wants sides to be multiples of, whatever its parts do: its check of them says so."""
    source = inspect.getsource(check) if check is not None else ""
    return math.lcm(1, *(int(number) for number in re.findall(r"(?:height|width) % (\d+)", source)))


def _native(pipe: Any, scale: int) -> Size:
    config, taken = config_of(pipe), parameters_of(pipe)
    defaults = [taken[name].default if name in taken else None for name in ("width", "height")]
    if isinstance(defaults[0], int) and isinstance(defaults[1], int):
        return defaults[0], defaults[1]
    sides = [getattr(config, name, None) for name in ("sample_width", "sample_height")]
    side = getattr(config, "sample_size", None) or getattr(pipe, "default_sample_size", None)
    if isinstance(side, list | tuple):
        sides = [side[1], side[0]]
    elif side:
        sides = [side, side]
    width, height = (int(one) * scale if one else USUAL_SIDE for one in sides)
    return width, height
