"""Trains starter-painter, a small latent diffusion model: its autoencoder, then text encoder and UNet."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from examples.train_starters import painter_card
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.painter_world import SIDE, wished
from examples.train_starters.shapes_world import render, stream
from examples.train_starters.text_tokenizer import train_tokenizer

WINDOW = 16
STEPS = 1000


@dataclass(frozen=True)
class Shape:
    """Channels of the autoencoder and of the UNet (multiples of 16), the text encoder's width and layers."""

    codes: tuple[int, ...] = (16, 32, 64)
    latent: int = 4
    widths: tuple[int, ...] = (64, 128)
    blocks: int = 1
    words: int = 128
    layers: int = 2


def autoencoder(shape: Shape) -> AutoencoderKL:
    """Pictures to latents of a quarter of the side, and back (arXiv:2112.10752)."""
    stages = len(shape.codes)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * stages,
        up_block_types=("UpDecoderBlock2D",) * stages,
        block_out_channels=shape.codes,
        layers_per_block=1,
        latent_channels=shape.latent,
        norm_num_groups=8,
        sample_size=SIDE,
        mid_block_add_attention=False,
    )


def unet(shape: Shape) -> UNet2DConditionModel:
    """What takes noise away; it looks at the prompt where pictures are smallest, since attention over more
    places took a third of a step on CPU."""
    plain = len(shape.widths) - 1
    return UNet2DConditionModel(
        sample_size=SIDE // 2 ** (len(shape.codes) - 1),
        in_channels=shape.latent,
        out_channels=shape.latent,
        down_block_types=(*("DownBlock2D",) * plain, "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", *("UpBlock2D",) * plain),
        block_out_channels=shape.widths,
        layers_per_block=shape.blocks,
        norm_num_groups=16,
        cross_attention_dim=shape.words,
        attention_head_dim=shape.widths[-1] // 32,
    )


def text_encoder(known: PreTrainedTokenizerFast, shape: Shape) -> CLIPTextModel:
    """What reads the prompt."""
    pad, end = known.pad_token_id, known.eos_token_id
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(known),
            hidden_size=shape.words,
            intermediate_size=2 * shape.words,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.words // 32,
            max_position_embeddings=WINDOW,
            pad_token_id=pad,
            bos_token_id=known.bos_token_id,
            eos_token_id=end,
        )
    )


def scheduler() -> DDIMScheduler:
    """Velocity prediction down to pure noise (arXiv:2305.08891)."""
    return DDIMScheduler(
        num_train_timesteps=STEPS,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of an earlier start, or a new one learnt from prompts."""
    if (folder / "tokenizer.json").exists():
        kept: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
        return kept
    rng = random.Random("prompts")
    learnt = train_tokenizer((wished(rng, "train", 0.5)[1].said(rng) for _ in range(2000)), 400, WINDOW)
    learnt.bos_token, learnt.eos_token = "[CLS]", "[SEP]"
    part = folder.with_suffix(".part")
    learnt.save_pretrained(part)
    os.replace(part, folder)
    return learnt


def tokens(known: PreTrainedTokenizerFast, prompts: Sequence[str]) -> torch.Tensor:
    """Prompts as the pipeline encodes them, [batch, WINDOW]."""
    encoded = known(
        list(prompts), padding="max_length", truncation=True, max_length=WINDOW, return_tensors="pt"
    )
    ids: torch.Tensor = encoded["input_ids"]
    return ids


def pictures(seed: int, at: int, two: float, size: int) -> tuple[torch.Tensor, list[str]]:
    """Pictures [batch, 3, SIDE, SIDE] in -1 to 1 with their prompts, one in ten of them empty."""
    rng = stream("train", at, seed)
    drawn = [wished(rng, "train", two) for _ in range(size)]
    stacked = np.stack([np.asarray(render(scene)) for scene, _ in drawn])
    prompts = ["" if rng.random() < 0.1 else wish.said(rng) for _, wish in drawn]
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1, prompts


def code_loss(coder: Any, batch: Batch, progress: float) -> torch.Tensor:
    """Absolute and squared error of the picture that comes back, and a little pull towards a normal law."""
    found = coder.encode(batch["pixels"]).latent_dist
    back = coder.decode(found.sample()).sample.float()
    errors = functional.l1_loss(back, batch["pixels"]) + functional.mse_loss(back, batch["pixels"])
    loss: torch.Tensor = errors + 1e-6 * found.kl().float().mean()
    return loss


class Painter(nn.Module):
    """Text encoder and UNet, which learn together."""

    def __init__(self, text: CLIPTextModel, net: UNet2DConditionModel) -> None:
        super().__init__()
        self.text, self.net = text, net

    def forward(self, ids: torch.Tensor, noisy: torch.Tensor, when: torch.Tensor) -> torch.Tensor:
        """The velocity of latents [batch, channels, height, width] at their times, as the prompts say."""
        velocity: torch.Tensor = self.net(noisy, when, self.text(ids).last_hidden_state).sample
        return velocity


def paint_loss(painter: Painter, batch: Batch, progress: float) -> torch.Tensor:
    """The squared error of the velocity at a random time."""
    latents = batch["latents"]
    noise = torch.randn_like(latents)
    when = torch.randint(STEPS, (len(latents),), device=latents.device)
    laws = scheduler()
    velocity = painter(batch["ids"], laws.add_noise(latents, noise, when), when)
    return functional.mse_loss(velocity.float(), laws.get_velocity(latents, noise, when))


def code_batches(plan: Plan, at: int, size: int = 32, number: int = 10) -> Iterator[Batch]:
    """The autoencoder's batches of the buffer with this number."""
    for which in range(at * number, (at + 1) * number):
        yield {"pixels": pictures(plan.seed, which, 0.5, size)[0]}


def paint_batches(
    plan: Plan,
    coder: Any,
    known: PreTrainedTokenizerFast,
    two: float,
    at: int,
    size: int = 32,
    number: int = 10,
) -> Iterator[Batch]:
    """The painter's batches of the buffer with this number."""
    for which in range(at * number, (at + 1) * number):
        pixels, prompts = pictures(plan.seed + 1, which, two, size)
        with torch.no_grad():
            codes = coder.encode(pixels.to(coder.device)).latent_dist.sample()
        yield {"latents": codes * coder.config.scaling_factor, "ids": tokens(known, prompts)}


def train_coder(plan: Plan, shape: Shape) -> AutoencoderKL:
    """The autoencoder, its scaling factor such that latents have a deviation of 1."""
    coder = autoencoder(shape)
    Fitting(plan, coder, code_loss, lambda at: code_batches(plan, at)).run()
    with torch.no_grad():
        codes = coder.encode(pictures(plan.seed, 1_000_000, 0.5, 64)[0].to(coder.device)).latent_dist.sample()
    coder.register_to_config(scaling_factor=round(1 / float(codes.std()), 4))
    return coder


def train(
    plan: Plan,
    start: Path | None = None,
    shape: Shape = Shape(),
    coder_share: float = 0.17,
    two: float = 0.6,
    wishes: int = 200,
) -> Fitting:
    """Trains autoencoder and painter, exports, measures on so many wishes and writes the card.

    `start` is a folder to go on from; `two` is the share of scenes of two things after the first third.
    """
    torch.manual_seed(plan.seed)
    if start is None:
        known = tokenizer(plan.work / "tokenizer")
        coding = replace(plan, work=plan.work / "coder", minutes=plan.minutes * coder_share)
        coder, text, net = train_coder(coding, shape), text_encoder(known, shape), unet(shape)
    else:
        before: Any = StableDiffusionPipeline.from_pretrained(start, dtype=torch.float32)
        known, coder, text, net = before.tokenizer, before.vae, before.text_encoder, before.unet
    coder.requires_grad_(False).eval()
    painting = replace(plan, minutes=plan.minutes * (1 - coder_share))
    fitting = Fitting(
        painting,
        Painter(text, net),
        paint_loss,
        lambda at: paint_batches(plan, coder, known, 0.0 if fitting.progress < 1 / 3 else two, at),
    )
    fitting.run()
    export(coder, text, known, net, plan.out)
    painter_card.finish(plan.out, fitting.facts(), wishes)
    return fitting


def export(
    coder: AutoencoderKL,
    text: CLIPTextModel,
    known: PreTrainedTokenizerFast,
    net: UNet2DConditionModel,
    folder: Path,
) -> None:
    """Writes the pipeline in the layout of a model repository."""
    pipeline = StableDiffusionPipeline(
        vae=coder.half(),
        text_encoder=torch.nn.Module.half(text),
        tokenizer=known,
        unet=net.half(),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=115.0, filters=True, rate=2e-3), **options)
