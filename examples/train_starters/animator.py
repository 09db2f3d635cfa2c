"""Trains starter-animator, a small video diffusion transformer: autoencoder, single frames, then clips."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, LattePipeline, LatteTransformer3DModel
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from examples.train_starters import animator_card, checkpoint, painter
from examples.train_starters.animator_world import FRAMES, SIDE, filmed
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.shapes_world import render, stream
from examples.train_starters.text_tokenizer import train_tokenizer

WATCHING = Path(__file__).parents[2] / "model_cards" / "starter-video"
WINDOW = 16
STEPS = 1000
UNSAID = 0.1
USES = 8
TOGETHER = 128
"""Frames in a batch."""
GROWTH = {0.93: 4, 1.0: FRAMES}
"""Up to which share of the training so many frames of a clip are learnt from."""


@dataclass(frozen=True)
class Shape:
    """The transformer's width (of heads of 32), its layers (each looks within frames, then along time) and
    the latents of a token's side; the text encoder's width and layers."""

    width: int = 160
    layers: int = 5
    patch: int = 4
    words: int = 96
    reads: int = 2


def transformer(shape: Shape, latents: int, side: int) -> LatteTransformer3DModel:
    """What takes noise away (arXiv:2401.03048). The pipeline drops the second half of what it says, where
    others have a variance."""
    return LatteTransformer3DModel(
        num_attention_heads=shape.width // 32,
        attention_head_dim=32,
        in_channels=latents,
        out_channels=2 * latents,
        num_layers=shape.layers,
        cross_attention_dim=shape.width,
        attention_bias=True,
        sample_size=side,
        patch_size=shape.patch,
        activation_fn="gelu-approximate",
        norm_type="ada_norm_single",
        norm_elementwise_affine=False,
        norm_eps=1e-6,
        caption_channels=shape.words,
        video_length=FRAMES,
    )


def text_encoder(known: PreTrainedTokenizerFast, shape: Shape) -> T5EncoderModel:
    """What reads the prompt."""
    return T5EncoderModel(
        T5Config(
            vocab_size=len(known),
            d_model=shape.words,
            d_kv=32,
            d_ff=2 * shape.words,
            num_layers=shape.reads,
            num_heads=shape.words // 32,
            relative_attention_num_buckets=16,
            relative_attention_max_distance=32,
            dropout_rate=0.0,
            pad_token_id=known.pad_token_id,
            eos_token_id=known.eos_token_id,
        )
    )


def scheduler() -> DDIMScheduler:
    """Velocity prediction down to pure noise (arXiv:2305.08891); there is more noise than for pictures, since
    sixteen frames tell of one thing."""
    return DDIMScheduler(
        num_train_timesteps=STEPS,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )


def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of an earlier start, or a new one learnt from prompts."""

    def learn() -> PreTrainedTokenizerFast:
        rng = random.Random("prompts")
        learnt = train_tokenizer((filmed(rng, "train")[1].said(rng) for _ in range(2000)), 400, WINDOW)
        learnt.bos_token, learnt.eos_token = "[CLS]", "[SEP]"
        return learnt

    return checkpoint.tokenizer(folder, learn)


def tokens(known: PreTrainedTokenizerFast, prompts: Sequence[str]) -> Batch:
    """Prompts as long as the longest: `ids` and `mask`, [batch, words]."""
    encoded = known(list(prompts), padding="longest", truncation=True, max_length=WINDOW, return_tensors="pt")
    return {"ids": encoded["input_ids"], "mask": encoded["attention_mask"]}


def films(seed: int, at: int, size: int, frames: int) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    """So many frames of clips, drawn by lot and in order: [size, frames, 3, SIDE, SIDE] in -1 to 1; their
    numbers, [size, frames]; their prompts."""
    rng = stream("train", at, seed)
    drawn = [filmed(rng, "train") for _ in range(size)]
    taken = [sorted(rng.sample(range(FRAMES), frames)) for _ in drawn]
    stacked = np.stack(
        [
            np.stack([np.asarray(render(film.frames[one].scene)) for one in some])
            for (film, _), some in zip(drawn, taken, strict=True)
        ]
    )
    pixels = torch.from_numpy(stacked).permute(0, 1, 4, 2, 3).float() / 127.5 - 1
    return pixels, torch.tensor(taken), [wish.said(rng) for _, wish in drawn]


class Animator(nn.Module):
    """Text encoder and transformer, which learn together."""

    def __init__(self, text: T5EncoderModel, net: LatteTransformer3DModel) -> None:
        super().__init__()
        self.text, self.net = text, net

    def forward(self, noisy: torch.Tensor, when: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The velocity of latents [batch, channels, frames, height, width] at their times.

        Words are encoded as the pipeline does it: nothing stands where a prompt has ended, but what is there
        when nothing is said is left."""
        mask, said = batch["mask"], batch["said"]
        words = self.text(input_ids=batch["ids"], attention_mask=mask).last_hidden_state
        words = words * torch.maximum(mask, 1 - said[:, None])[..., None].to(words.dtype)
        # The fused kernel for processors takes 60 % of a step for attention over sixteen places.
        with self._numbered(batch["numbers"], noisy.shape[-1]), sdpa_kernel(SDPBackend.MATH):
            out: torch.Tensor = self.net(
                noisy,
                timestep=when,
                encoder_hidden_states=words,
                enable_temporal_attentions=noisy.shape[2] > 1,
            ).sample
        return out.chunk(2, dim=1)[0]

    @contextmanager
    def _numbered(self, numbers: torch.Tensor, side: int) -> Iterator[None]:
        """Inside, the transformer takes the frames for those with these numbers, [batch, frames]."""
        whole: torch.Tensor = self.net.temp_pos_embed
        tokens = (side // self.net.config["patch_size"]) ** 2
        self.net.temp_pos_embed = whole[0, numbers].repeat_interleave(tokens, 0)
        try:
            yield
        finally:
            self.net.temp_pos_embed = whole


def film_loss(animator: Animator, batch: Batch, progress: float) -> torch.Tensor:
    """The squared error of the velocity at random times, spread over the batch, the more the noisier: where a
    thing is, is settled in much noise."""
    latents = batch["latents"]
    noise = torch.randn_like(latents)
    shares = (torch.randperm(len(latents)) + torch.rand(len(latents))) / len(latents)
    when = (shares.sqrt() * STEPS).long().to(latents.device)
    laws = scheduler()
    velocity = animator(laws.add_noise(latents, noise, when), when, batch)
    return functional.mse_loss(velocity.float(), laws.get_velocity(latents, noise, when))


def code_batches(plan: Plan, at: int, size: int = 32, number: int = 10) -> Iterator[Batch]:
    """The autoencoder's batches of the buffer with this number."""
    for which in range(at * number, (at + 1) * number):
        yield {"pixels": films(plan.seed, which, size, 1)[0][:, 0]}


def film_batches(
    plan: Plan, coder: Any, known: PreTrainedTokenizerFast, at: int, frames: int, number: int = 10
) -> Iterator[Batch]:
    """The animator's batches of the buffer with this number: every clip several times, in other company."""
    made, size = list[tuple[torch.Tensor, torch.Tensor, str]](), TOGETHER // frames
    for which in range(at * number, (at + 1) * number):
        pixels, numbers, said = films(plan.seed + 1, which, size, frames)
        made += zip(encoded(coder, pixels), numbers, said, strict=True)
    rng = stream("train", at, plan.seed + 2)
    for _ in range(USES):
        rng.shuffle(made)
        for start in range(0, len(made), size):
            part = made[start : start + size]
            said = ["" if rng.random() < UNSAID else prompt for _, _, prompt in part]
            yield {
                "latents": torch.stack([latents for latents, _, _ in part]),
                "numbers": torch.stack([which for _, which, _ in part]),
                "said": torch.tensor([int(bool(text)) for text in said]),
                **tokens(known, said),
            }


@torch.no_grad()
def encoded(coder: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Clips [batch, frames, 3, height, width] as latents [batch, channels, frames, height, width]."""
    flat = pixels.flatten(0, 1).to(coder.device)
    with torch.autocast(coder.device.type, torch.bfloat16):
        codes = coder.encode(flat).latent_dist.mode().float()
    scaled: torch.Tensor = codes * coder.config.scaling_factor
    return scaled.view(*pixels.shape[:2], *scaled.shape[1:]).transpose(1, 2)


def train_coder(plan: Plan, coder: AutoencoderKL) -> AutoencoderKL:
    """The autoencoder, its scaling factor such that latents have a deviation of 1."""
    Fitting(plan, coder, painter.code_loss, lambda at: code_batches(plan, at)).run()
    coder.register_to_config(scaling_factor=1.0)
    codes = encoded(coder, films(plan.seed, 1_000_000, 64, 1)[0])
    coder.register_to_config(scaling_factor=round(1 / float(codes.std()), 4))
    return coder


def train(
    plan: Plan,
    start: Path | None = None,
    drawer: Path | None = None,
    shape: Shape = Shape(),
    coder: painter.Shape = painter.Shape(),
    coder_share: float = 0.07,
    wishes: int = 110,
    watching: Path = WATCHING,
) -> Fitting:
    """Trains autoencoder and animator, exports, measures on so many wishes and writes the card.

    `start` is a folder to go on from with whole clips; `drawer` is starter-painter's, whose autoencoder ours
    begins as; `watching` is starter-video's, which judges the motions.
    """
    torch.manual_seed(plan.seed)
    if start is None:
        known = tokenizer(plan.work / "tokenizer")
        coding = replace(plan, work=plan.work / "coder", minutes=plan.minutes * coder_share)
        eyes = train_coder(coding, _coder(drawer, coder))
        side = SIDE // 2 ** (len(eyes.config["block_out_channels"]) - 1)
        net = transformer(shape, eyes.config["latent_channels"], side)
        animator = Animator(text_encoder(known, shape), net)
    else:
        before: Any = LattePipeline.from_pretrained(start, dtype=torch.float32)
        known, eyes = before.tokenizer, before.vae
        animator = Animator(before.text_encoder, before.transformer)
    eyes.requires_grad_(False).eval()

    def frames() -> int:
        return next((count for share, count in GROWTH.items() if fitting.progress < share), FRAMES)

    fitting = Fitting(
        replace(plan, work=plan.work / "films", minutes=plan.minutes * (1 - coder_share)),
        animator,
        film_loss,
        lambda at: film_batches(plan, eyes, known, at, FRAMES if start is not None else frames()),
    )
    fitting.run()
    export(eyes, known, animator, plan.out)
    animator_card.finish(plan.out, watching, fitting.facts(), wishes)
    return fitting


def export(coder: AutoencoderKL, known: PreTrainedTokenizerFast, animator: Animator, folder: Path) -> None:
    """Writes the pipeline in the layout of a model repository."""
    pipeline = LattePipeline(
        tokenizer=known,
        text_encoder=torch.nn.Module.half(animator.text),
        vae=coder.half(),
        transformer=animator.net.half(),
        scheduler=scheduler(),
    )
    painter.write(pipeline, folder)


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=75.0, filters=True, rate=2e-3), **options)


def _coder(drawer: Path | None, shape: painter.Shape) -> AutoencoderKL:
    if drawer is None:
        return painter.autoencoder(shape)
    begun: AutoencoderKL = AutoencoderKL.from_pretrained(drawer / "vae", torch_dtype=torch.float32)
    return begun
