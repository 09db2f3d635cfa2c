"""What a picture looks like while it is being drawn: latents as colours, at a small part of a step's cost."""

import io
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...events import File
from .sizes import Size, latent_channels, patch_of, scale_of

SHARE = 0.1
"""Of the time, at most this much goes into previews."""
PROBE = 8
CHEAP_SECONDS = 0.02
LARGEST = 384


class Previews:
    """Turns the latents of one pipeline into small pictures.

    A decoder that is quick enough is asked. For others, colours are a linear function of the latents, fitted
    by least squares: first to what the decoder makes of a little noise, then to each picture that was drawn.
    """

    def __init__(self) -> None:
        self._square: NDArray[np.float64] | None = None
        self._product: NDArray[np.float64] | None = None
        self._decode_seconds: float | None = None  # for PROBE × PROBE latents

    def picture(self, pipe: Any, latents: Any, size: Size) -> File | None:
        """A JPEG of about `size`, or smaller; None when the layout of the latents is not known."""
        place = spatial(pipe, latents, size)
        if place is None:
            return None
        colours = self._colours(pipe, place)
        shown = Image.fromarray((colours.clip(0, 1) * 255).round().astype(np.uint8))
        scale = min(1.0, LARGEST / max(size))
        shown = shown.resize((round(size[0] * scale), round(size[1] * scale)), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        shown.save(buffer, "JPEG", quality=85)
        return File(data=buffer.getvalue(), media_type="image/jpeg")

    def learn(self, pipe: Any, latents: Any, picture: Image.Image) -> None:
        """Take a finished picture as an example of what its latents look like."""
        place = spatial(pipe, latents, picture.size)
        if place is None or getattr(pipe, "vae", None) is None:
            return
        height, width = place.shape[1:]
        seen = picture.convert("RGB").resize((width, height), Image.Resampling.BOX)
        self._fit(_rows(place), np.asarray(seen, dtype=np.float64).reshape(-1, 3) / 255, weight=4.0)

    def _colours(self, pipe: Any, place: Any) -> NDArray[np.float64]:
        """(height, width, 3), 0 to 1, for latents (channels, height, width)."""
        if getattr(pipe, "vae", None) is None:
            return _pixels(place)
        if self._decode_seconds is None:
            self._probe(pipe, place)
        height, width = place.shape[1:]
        assert self._decode_seconds is not None
        if self._decode_seconds * height * width / PROBE**2 < CHEAP_SECONDS:
            return _pixels(_decoded(pipe, place))
        return (_rows(place) @ self._weights()).reshape(height, width, 3)

    def _probe(self, pipe: Any, place: Any) -> None:
        """Decode a little noise: how long it takes, and which colours it has."""
        import torch

        noise = torch.randn(len(place), PROBE, PROBE, generator=torch.Generator().manual_seed(0))
        noise = noise.to(place)
        try:
            _decoded(pipe, noise)
            began = time.perf_counter()
            made = _decoded(pipe, noise)
            self._decode_seconds = time.perf_counter() - began
        except Exception:  # noqa: BLE001 - any decoder may want more than latents; a preview is a courtesy
            self._decode_seconds = float("inf")
            self._fit(_rows(noise), _rows(noise)[:, :3] / 4 + 0.5, weight=1e-3)
            return
        small = torch.nn.functional.adaptive_avg_pool2d(made.float(), PROBE)
        self._fit(_rows(noise), _pixels(small).reshape(-1, 3), weight=0.1)

    def _fit(self, rows: NDArray[np.float64], colours: NDArray[np.float64], weight: float) -> None:
        scale = weight / len(rows)
        self._square = scale * rows.T @ rows + (0 if self._square is None else self._square)
        self._product = scale * rows.T @ colours + (0 if self._product is None else self._product)

    def _weights(self) -> NDArray[np.float64]:
        assert self._square is not None
        assert self._product is not None
        ridge = 1e-6 * np.eye(len(self._square))
        return np.asarray(np.linalg.solve(self._square + ridge, self._product), dtype=np.float64)


class Pace:
    """When the next preview is due."""

    def __init__(self) -> None:
        self._ended = float("-inf")
        self._cost = 0.0

    def due(self) -> bool:
        """Whether enough time has passed since the last one for what that cost."""
        return (time.monotonic() - self._ended) * SHARE >= self._cost

    def took(self, seconds: float) -> None:
        self._cost, self._ended = seconds, time.monotonic()


def spatial(pipe: Any, latents: Any, size: Size) -> Any:
    """Latents (channels, height, width) of the first picture or of a clip's middle frame; None if unknown."""
    channels, one = latent_channels(pipe), latents[0].detach()
    if one.ndim == 4:
        one = one if one.shape[0] == channels else one.transpose(0, 1)
        return one[:, one.shape[1] // 2]
    if one.ndim == 2:
        return _unpacked(pipe, one, size, channels)
    return one[:channels] if one.ndim == 3 and one.shape[0] >= channels else None


def _unpacked(pipe: Any, tokens: Any, size: Size, channels: int) -> Any:
    """Tokens (length, channels × patch²) in rows; of a clip the middle frame."""
    patch = patch_of(pipe) if tokens.shape[1] != channels else 1
    side = scale_of(pipe) * patch
    width, height = size[0] // side, size[1] // side
    if (
        not width
        or not height
        or tokens.shape[0] % (width * height)
        or tokens.shape[1] != channels * patch**2
    ):
        return None
    frames = tokens.reshape(-1, height, width, channels, patch, patch)
    middle = frames[len(frames) // 2].permute(2, 0, 3, 1, 4)
    return middle.reshape(channels, height * patch, width * patch)


def _decoded(pipe: Any, place: Any) -> Any:
    """What the decoder makes of latents (channels, height, width): (3, height, width), -1 to 1."""
    import torch

    config = pipe.vae.config
    latents = place[None].to(pipe.vae.dtype)
    if (mean := getattr(config, "latents_mean", None)) and (spread := getattr(config, "latents_std", None)):
        shape = (1, -1, 1, 1)
        latents = latents * torch.tensor(spread).to(latents).view(shape)
        latents = latents + torch.tensor(mean).to(latents).view(shape)
    else:
        latents = latents / (getattr(config, "scaling_factor", None) or 1.0)
        latents = latents + (getattr(config, "shift_factor", None) or 0.0)
    with torch.no_grad():
        if any(isinstance(module, torch.nn.Conv3d) for module in pipe.vae.modules()):
            return pipe.vae.decode(latents[:, :, None], return_dict=False)[0][0, :, 0]
        return pipe.vae.decode(latents, return_dict=False)[0][0]


def _pixels(place: Any) -> NDArray[np.float64]:
    """(height, width, 3), 0 to 1, of values (channels, height, width) from -1 to 1."""
    values: NDArray[np.float64] = (place.float().cpu().numpy().astype(np.float64) / 2 + 0.5).transpose(
        1, 2, 0
    )
    return values[..., :3] if values.shape[-1] >= 3 else np.repeat(values[..., :1], 3, axis=-1)


def _rows(place: Any) -> NDArray[np.float64]:
    """One row for each place: its latents and a 1."""
    flat: NDArray[np.float64] = place.float().cpu().numpy().astype(np.float64).reshape(len(place), -1).T
    return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
