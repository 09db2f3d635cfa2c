"""Trains starter-video, a small VideoMAE that names how things in a clip move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional
from transformers import VideoMAEConfig, VideoMAEForVideoClassification
from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil

from examples.train_starters import video_card
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.shapes_world import Clip, render_clip, stream
from examples.train_starters.video_truth import FLOW, FRAMES, LABELS, SIDE, example, flow, turned

TUBELET, PATCH = 4, 8


def config(hidden: int = 128, layers: int = 4, tubelet: int = TUBELET, patch: int = PATCH) -> VideoMAEConfig:
    """The model's shape: tokens of `tubelet` frames x `patch` x `patch` pixels."""
    return VideoMAEConfig(
        image_size=SIDE,
        patch_size=patch,
        num_frames=FRAMES,
        tubelet_size=tubelet,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        intermediate_size=3 * hidden,
        id2label=dict(enumerate(LABELS)),
        label2id={name: at for at, name in enumerate(LABELS)},
    )


def pixels(films: Sequence[Clip]) -> torch.Tensor:
    """Clips as [batch, frames, 3, SIDE, SIDE] in -1 to 1, made smaller as the image processor does."""
    stacked = np.stack([np.stack([_small(frame) for frame in render_clip(film)]) for film in films])
    return torch.from_numpy(stacked).permute(0, 1, 4, 2, 3).float() / 127.5 - 1


def _small(frame: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(frame if frame.width == SIDE else frame.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def batches(
    seed: int, at: int, tubelet: int = TUBELET, patch: int = PATCH, size: int = 32, number: int = 10
) -> Iterator[Batch]:
    """The batches of the buffer with this number: every clip four times, turned differently."""
    rng, each = stream("train", at, seed + 1), 4
    first, sides = at * number * size, (SIDE, SIDE, SIDE, 64, 96)
    drawn = [example("train", first + one, rng.choice(sides), seed) for one in range(number * size // each)]
    films = pixels([film for film, _ in drawn])
    told = [torch.from_numpy(flow(film, tubelet, patch)) for film, _ in drawn]
    known = list(zip(films, told, (label for _, label in drawn), strict=True))
    made = [turned(*one, rng) for one in known for _ in range(each)]
    rng.shuffle(made)
    for start in range(0, len(made), size):
        part = made[start : start + size]
        yield {
            "pixels": torch.stack([film for film, _, _ in part]),
            "flow": torch.stack([flow.flatten(0, 2) for _, flow, _ in part]),
            "labels": torch.tensor([label for _, _, label in part]),
        }


class Watcher(nn.Module):
    """The model with a head that says per token what moves; the head is thrown away."""

    def __init__(self, model: VideoMAEForVideoClassification) -> None:
        super().__init__()
        self.model = model
        self.flow = nn.Linear(model.config.hidden_size, FLOW)

    def forward(self, pixels: torch.Tensor, layer: int = -2) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [batch, labels], flow [batch, tokens, FLOW] as read off a layer."""
        out: Any = self.model(pixel_values=pixels, output_hidden_states=True)
        return out.logits.float(), self.flow(out.hidden_states[layer]).float()


def loss(watcher: Watcher, batch: Batch, progress: float) -> torch.Tensor:
    """Cross-entropy of the label, and what every token sees."""
    logits, flow = watcher(batch["pixels"])
    wanted = batch["flow"]
    covered = wanted[..., 0] > 0.5
    binary = functional.binary_cross_entropy_with_logits
    seen = binary(flow[..., 0], wanted[..., 0])
    speed = functional.smooth_l1_loss(flow[covered][:, 1:7], wanted[covered][:, 1:7], beta=0.2)
    lasts = binary(flow[covered][:, 7:], wanted[covered][:, 7:])
    return functional.cross_entropy(logits, batch["labels"]) + 2 * seen + 2 * speed + lasts


def train(
    plan: Plan, start: Path | None = None, hidden: int = 128, layers: int = 4, clips: int = 600
) -> Fitting:
    """Trains, exports, measures on `clips` and writes the card; goes on from the folder `start` if given."""
    torch.manual_seed(plan.seed)
    model = VideoMAEForVideoClassification(config(hidden, layers))
    if start is not None:
        model = VideoMAEForVideoClassification.from_pretrained(start, dtype=torch.float32)
    fitting = Fitting(plan, Watcher(model), loss, lambda at: batches(plan.seed, at))
    fitting.run()
    export(model, plan.out)
    video_card.finish(plan.out, fitting.facts(), clips)
    return fitting


def export(model: VideoMAEForVideoClassification, folder: Path) -> None:
    """Writes the model in the layout of a model repository."""
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)  # type: ignore[no-untyped-call]
    size = {"height": SIDE, "width": SIDE}
    images = VideoMAEImageProcessorPil(
        size=size, crop_size=size, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    images.save_pretrained(folder)


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=12.0, filters=True), **options)
