"""Trains starter-painter, a small latent diffusion model: its autoencoder, then text encoder and UNet."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from examples.train_starters import checkpoint, painter_card
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.painter_batches import WINDOW, code_batches, drawn, paint_batches, pictures
from examples.train_starters.painter_truth import Heads, alike
from examples.train_starters.painter_world import SIDE, wished
from examples.train_starters.text_tokenizer import train_tokenizer

STEPS = 1000
SHARES, TIMES = (0.0, 0.4, 0.93, 1.0), (0, 500, 900, STEPS)
"""Which share is learnt up to which time: in more noise nothing is seen, in less only outlines are open."""
SEEING, READING = 0.15, 0.3
"""Weights of the heads' errors."""
OPEN, SETTLED = 650.0, 450.0
"""Times between which things begin to weigh alike, whatever their size: as long as it is open where they will
be, a weight where they are would teach to draw too many."""
SHAKEN = 0.3
"""The most noise in latents, in deviations, from which the decoder learns to draw clean outlines."""


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


def sampler() -> DPMSolverMultistepScheduler:
    """What draws: new noise at every step (arXiv:2211.01095) puts right what was settled wrongly."""
    drawing: DPMSolverMultistepScheduler = DPMSolverMultistepScheduler.from_config(
        scheduler().config, algorithm_type="sde-dpmsolver++"
    )
    return drawing


def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of an earlier start, or a new one learnt from prompts."""

    def learn() -> PreTrainedTokenizerFast:
        rng = random.Random("prompts")
        learnt = train_tokenizer((wished(rng, "train", 0.7)[1].said(rng) for _ in range(4000)), 400, WINDOW)
        learnt.bos_token, learnt.eos_token = "[CLS]", "[SEP]"
        return learnt

    return checkpoint.tokenizer(folder, learn)


def code_loss(coder: Any, batch: Batch, progress: float) -> torch.Tensor:
    """Absolute and squared error of the picture that comes back, and a little pull towards a normal law."""
    found = coder.encode(batch["pixels"]).latent_dist
    back = coder.decode(found.sample()).sample.float()
    errors = functional.l1_loss(back, batch["pixels"]) + functional.mse_loss(back, batch["pixels"])
    loss: torch.Tensor = errors + 1e-6 * found.kl().float().mean()
    return loss


def outline_loss(coder: Any, batch: Batch, progress: float) -> torch.Tensor:
    """Absolute and squared error of pictures from latents that are a little off, small things weighing as
    much as large ones; for the decoder alone."""
    with torch.no_grad():
        codes = coder.encode(batch["pixels"]).latent_dist.mode().float()
    noise = SHAKEN * codes.std() * torch.rand(len(codes), 1, 1, 1, device=codes.device)
    errors = coder.decode(codes + noise * torch.randn_like(codes)).sample.float() - batch["pixels"]
    weights = 1 + alike(batch["things"])[:, None]
    loss: torch.Tensor = ((errors.abs() + errors.square()) * weights).sum() / weights.expand_as(errors).sum()
    return loss


class Looks(NamedTuple):
    """A velocity, and the heads' errors."""

    velocity: torch.Tensor
    seen: torch.Tensor
    read: torch.Tensor


class Painter(nn.Module):
    """Text encoder and UNet, which learn together; the heads look at what they know on the way."""

    def __init__(self, text: CLIPTextModel, net: UNet2DConditionModel) -> None:
        super().__init__()
        self.text, self.net = text, net
        self.heads = Heads(net.config["block_out_channels"][-1], text.config.hidden_size)
        # The fused kernel for processors takes a quarter of a step for attention over so few places.
        net.set_attn_processor(AttnProcessor())
        self._end: Any = text.config.eos_token_id
        self._seen: dict[str, torch.Tensor] = {}
        for name, block in (("middle", net.mid_block), ("up", net.up_blocks[0])):
            block.register_forward_hook(partial(self._see, name))

    def _see(self, name: str, _module: nn.Module, _given: Any, out: torch.Tensor) -> None:
        self._seen[name] = out

    def forward(self, batch: Batch, noisy: torch.Tensor, when: torch.Tensor) -> Looks:
        """The velocity of latents [batch, channels, height, width] at their times, as the prompts say, and
        what the heads make of the features."""
        with sdpa_kernel(SDPBackend.MATH):
            states = self.text(batch["ids"]).last_hidden_state
            velocity = self.net(noisy, when, states).sample
        ended = batch["ids"].eq(self._end).cumsum(1) > 0
        seen = self.heads.seen(self._seen["middle"], self._seen["up"], batch["cells"])
        return Looks(velocity, seen, self.heads.read(states, ended, batch["facts"]))


def paint_loss(painter: Painter, batch: Batch, progress: float) -> torch.Tensor:
    """The squared error of the velocity at times spread over the batch as SHARES say, small things weighing
    as much as large ones, and the heads' errors."""
    latents = batch["latents"]
    noise = torch.randn_like(latents)
    shares = (torch.randperm(len(latents)) + torch.rand(len(latents))) / len(latents)
    when = torch.from_numpy(np.interp(shares.numpy(), SHARES, TIMES)).long().to(latents.device)
    laws = scheduler()
    looks = painter(batch, laws.add_noise(latents, noise, when), when)
    errors = (looks.velocity.float() - laws.get_velocity(latents, noise, when)).square().mean(1)
    share = ((OPEN - when) / (OPEN - SETTLED)).clamp(0, 1)[:, None, None]
    weights = 1 + share * alike(batch["cells"])
    loss: torch.Tensor = (errors * weights).sum() / weights.sum() + SEEING * looks.seen + READING * looks.read
    return loss


def train_coder(plan: Plan, shape: Shape) -> AutoencoderKL:
    """The autoencoder, its scaling factor such that latents have a deviation of 1."""
    coder = autoencoder(shape)
    Fitting(plan, coder, code_loss, lambda at: code_batches(plan, at)).run()
    seen = pictures([scene for scene, _ in drawn(plan.seed, 1_000_000, 0.5, 64)])
    with torch.no_grad():
        codes = coder.encode(seen.to(coder.device)).latent_dist.sample()
    coder.register_to_config(scaling_factor=round(1 / float(codes.std()), 4))
    return coder


def train_decoder(plan: Plan, coder: AutoencoderKL) -> Fitting:
    """Goes on with the decoder alone, so that latents stay what they are."""
    coder.requires_grad_(True)
    for part in (coder.encoder, coder.quant_conv):
        part.requires_grad_(False)
    fitting = Fitting(plan, coder, outline_loss, lambda at: code_batches(plan, at))
    fitting.run()
    return fitting


def train(
    plan: Plan,
    start: Path | None = None,
    shape: Shape = Shape(),
    coder_share: float = 0.17,
    decoder_share: float = 0.1,
    two: float = 0.8,
    wishes: int = 200,
) -> Fitting:
    """Trains autoencoder and painter, exports, measures on so many wishes and writes the card.

    `start` is a folder to go on from; `two` is the share of scenes of two things: from the first
    step then, else after the first third.
    """
    torch.manual_seed(plan.seed)
    if start is None:
        known = tokenizer(plan.work / "tokenizer")
        coding = replace(plan, work=plan.work / "coder", minutes=plan.minutes * coder_share)
        coder, text, net = train_coder(coding, shape), text_encoder(known, shape), unet(shape)
    else:
        before: Any = StableDiffusionPipeline.from_pretrained(start, dtype=torch.float32)
        known, coder, text, net = before.tokenizer, before.vae, before.text_encoder, before.unet
    decoding = replace(plan, work=plan.work / "decoder", minutes=plan.minutes * decoder_share)
    decoded = train_decoder(decoding, coder).budget.seconds / 60
    coder.requires_grad_(False).eval()
    spent = decoder_share + (0.0 if start else coder_share)
    painting = replace(plan, minutes=plan.minutes * (1 - spent))

    def learnt() -> bool:
        return start is not None or fitting.progress >= 1 / 3

    fitting = Fitting(
        painting,
        Painter(text, net),
        paint_loss,
        lambda at: paint_batches(plan, coder, known, two if learnt() else 0.0, at),
    )
    fitting.run()
    export(coder, text, known, net, plan.out)
    painter_card.finish(plan.out, summed(fitting.facts(), decoded, start), wishes)
    return fitting


def summed(facts: dict[str, Any], decoded: float, start: Path | None) -> dict[str, Any]:
    """How the weights came about: with the minutes of the decoder, and what earlier goes took."""
    facts = facts | {"minutes": round(facts["minutes"] + decoded, 1)}
    told = start / "eval.json" if start else None
    if told is None or not told.exists():
        return facts | {"goes": 1}
    before = json.loads(told.read_text(encoding="utf-8"))["training"]
    minutes, steps = (facts[name] + before[name] for name in ("minutes", "steps"))
    return facts | {"minutes": round(minutes, 1), "steps": steps, "goes": before.get("goes", 1) + 1}


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
        scheduler=sampler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    write(pipeline, folder)


def write(pipeline: DiffusionPipeline, folder: Path) -> None:
    """Writes a pipeline, without the folders of this machine that its models began in."""
    pipeline.save_pretrained(folder, safe_serialization=True)
    for file in folder.glob("*/config.json"):
        told = json.loads(file.read_text(encoding="utf-8"))
        told.pop("_name_or_path", None)
        file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=115.0, filters=True, rate=2e-3, decay=0.999), **options)
