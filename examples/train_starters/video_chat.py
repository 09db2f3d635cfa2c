"""Trains starter-video-chat, a small LLaVA that reads a clip's frames: starter-vision-chat's eye, a new decoder.

The eye and the projector are those of starter-vision-chat and stay as they are. What makes the decoder see
motion is a lesson of its own, before and beside the answers: after some of its layers it says of every cell
what the thing there has done so far, also where a thing was and has vanished. That head is thrown away.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import normalizers
from torch import nn
from torch.nn import functional
from transformers import LlavaConfig, LlavaForConditionalGeneration, PreTrainedTokenizerFast

from examples.train_starters import vision_chat
from examples.train_starters.chat_tokenizer import token_id, train_tokenizer
from examples.train_starters.clip_batches import EMPTY, UNKNOWN, FilmEncoder, asked, batches, frames_alone
from examples.train_starters.films import film
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.questions import plural
from examples.train_starters.shapes_world import COLOURS, SHAPES, SIZES, WORLD, World
from examples.train_starters.vision_batches import IMAGE, SYSTEM
from examples.train_starters.vision_chat import WINDOW, Shape

# How large names begin among the embeddings, as in `vision_chat`.
_WORD, _NAME = 0.2, 2.0
_NAMES = (*SHAPES, *COLOURS, *SIZES)
_BESIDE = 0.5
TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|' + message['role'] + '|>' -}}"
    "{%- if message['content'] is string -%}{{- message['content'] | trim -}}"
    "{%- else -%}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{- '<image>' -}}"
    "{%- elif part['type'] == 'text' -%}{{- part['text'] | trim -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- endif -%}"
    "{{- '<|end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


def tokenizer(
    folder: Path, world: World, clips: int = 3_000, vocabulary: int = 800
) -> PreTrainedTokenizerFast:
    """The tokenizer of an earlier start, or a new one of lower-case pieces of questions and answers."""
    if (folder / "tokenizer.json").exists():
        kept: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
        return kept
    rng = random.Random("tokenizer")
    said: list[str] = [f"Frame at {rng.uniform(0, 20):.1f} s:" for _ in range(clips)]
    for _ in range(clips):
        talk = asked(rng, film(rng, "train", world), world)
        said += [part for turn in talk.turns for part in (turn.question, turn.answer)]
    learnt = train_tokenizer([*(text.lower() for text in said), *SYSTEM], vocabulary, WINDOW)
    learnt.backend_tokenizer.normalizer = normalizers.Lowercase()
    learnt.add_special_tokens({"additional_special_tokens": [*learnt.extra_special_tokens, IMAGE]})
    learnt.chat_template = None
    part = folder.with_suffix(".part")
    learnt.save_pretrained(part)
    os.replace(part, folder)
    return learnt


class Watcher(nn.Module):
    """The model with its eye and projector held still, and the head that teaches what moves."""

    def __init__(self, llava: LlavaForConditionalGeneration, after: int) -> None:
        super().__init__()
        self.llava = llava
        hidden = llava.config.text_config.hidden_size
        said = EMPTY + 1 + len(COLOURS) + len(SHAPES)
        self.beside = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, said))
        self.passed: torch.Tensor | None = None
        for part in (llava.model.vision_tower, llava.model.multi_modal_projector):
            part.requires_grad_(False)
        self._layers: Any = llava.model.language_model
        self._layers.layers[after - 1].register_forward_hook(self._keep)
        self._after, self._later = after, nn.ModuleList()

    def _keep(self, _: nn.Module, __: object, out: Any) -> None:
        self.passed = out if isinstance(out, torch.Tensor) else out[0]

    def shortened(self) -> None:
        """Without the layers that only answer."""
        layers = self._layers.layers
        self._later, self._layers.layers = layers[self._after :], layers[: self._after]

    def lengthened(self) -> None:
        """With them again."""
        self._layers.layers.extend(self._later)
        self._later = nn.ModuleList()

    def train(self, mode: bool = True) -> Watcher:
        """The eye's statistics stay as they are."""
        super().train(mode)
        self.llava.model.vision_tower.eval()
        return self

    @torch.no_grad()
    def look(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the decoder reads of frames [frames, 3, SIDE, SIDE]: [frames * cells, hidden]."""
        llava: Any = self.llava
        llava.model.vision_tower.eval()
        device = llava.lm_head.weight.device
        cells = llava.model.vision_tower(pixels.to(device), output_hidden_states=True).hidden_states[-1][
            :, 1:
        ]
        told: torch.Tensor = llava.model.multi_modal_projector(cells).flatten(0, 1)
        return told


def embedded(watcher: Watcher, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """What the decoder reads, [batch, length, hidden], and where that is a cell of a frame."""
    llava: Any = watcher.llava
    shown = batch["ids"] == llava.config.image_token_index
    words = llava.get_input_embeddings()(batch["ids"])
    return words.masked_scatter(shown[..., None], batch["views"].to(words.dtype)), shown


def moved(watcher: Watcher, batch: Batch, progress: float) -> torch.Tensor:
    """The loss of the first lesson: frames alone, and what moves in them."""
    read, shown = embedded(watcher, batch)
    llava: Any = watcher.llava
    llava.model.language_model(inputs_embeds=read, use_cache=False)
    assert watcher.passed is not None
    said = watcher.beside(watcher.passed[shown]).float()
    return beside(said, batch["does"].flatten(), batch["gone"].flatten(0, 1))


def loss(watcher: Watcher, batch: Batch, progress: float) -> torch.Tensor:
    """Weighted cross-entropy of the answers' tokens, and of what is said beside."""
    read, shown = embedded(watcher, batch)
    llava: Any = watcher.llava
    hidden = llava.model.language_model(
        inputs_embeds=read, attention_mask=batch["seen"], position_ids=batch["places"], use_cache=False
    ).last_hidden_state
    weights = functional.pad(batch["weights"][:, 1:], (0, 1))
    taught = weights > 0
    next_ids = functional.pad(batch["ids"][:, 1:], (0, 1))[taught]
    expected = llava.lm_head(hidden[taught]).float()
    each = functional.cross_entropy(expected, next_ids, reduction="none")
    answers = (each * weights[taught]).sum() / weights.sum()
    assert watcher.passed is not None
    said = watcher.beside(watcher.passed[shown]).float()
    return answers + _BESIDE * beside(said, batch["does"].flatten(), batch["gone"].flatten(0, 1))


def beside(said: torch.Tensor, does: torch.Tensor, gone: torch.Tensor) -> torch.Tensor:
    """The loss of what is said of cells: what was done there, and the names of what has vanished there."""
    kinds, colours, shapes = said.split((EMPTY + 1, len(COLOURS), len(SHAPES)), -1)
    each = functional.cross_entropy(kinds, does, ignore_index=UNKNOWN, reduction="none")
    things = (does != EMPTY) & (does != UNKNOWN)
    parts = each[things].sum() / max(1, int(things.sum())) + 0.5 * each[does == EMPTY].mean()
    if (gone[:, 0] != UNKNOWN).any():
        for names, at in ((colours, 0), (shapes, 1)):
            parts = parts + 0.3 * functional.cross_entropy(names, gone[:, at], ignore_index=UNKNOWN)
    return parts


def begin(config: LlavaConfig, eye: Path, known: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """A new decoder behind the eye and projector of another model, which knows the same names by the same
    numbers."""
    llava = LlavaForConditionalGeneration(config)
    seeing = LlavaForConditionalGeneration.from_pretrained(eye, dtype=torch.float32)
    for mine, its in (
        (llava.model.vision_tower, seeing.model.vision_tower),
        (llava.model.multi_modal_projector, seeing.model.multi_modal_projector),
    ):
        mine.load_state_dict(its.state_dict())
    vision_chat.begin_with_looking(llava)
    _look_for_the_same(llava)
    _begin_with_names(llava, known)
    return llava


@torch.no_grad()
def _begin_with_names(llava: LlavaForConditionalGeneration, known: PreTrainedTokenizerFast) -> None:
    words: Any = llava.get_input_embeddings()
    words.weight.normal_(0, _WORD)
    if len(words.weight[0]) < 3 * len(_NAMES):
        return
    words.weight[:, : 2 * len(_NAMES)] = 0
    for at, name in enumerate(_NAMES):
        for form in (f" {name}", name, f" {plural(name)}"):
            words.weight[known.encode(form, add_special_tokens=False)[-1], at] = _NAME


@torch.no_grad()
def _look_for_the_same(llava: LlavaForConditionalGeneration) -> None:
    """A third head of the first layers begins by looking from a cell to those with the same names."""
    text: Any = llava.model.language_model
    names, width = len(_NAMES), text.config.head_dim
    if text.config.hidden_size < 3 * names or width < names or text.config.num_attention_heads < 3:
        return
    slots = sorted(range(width), key=lambda slot: (-(slot % (width // 2)), slot))[:names]
    rows, at = torch.tensor(slots) + 2 * width, torch.arange(names, 2 * names)
    for layer in text.layers[:3]:
        for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj):
            projection.weight[2 * width : 3 * width] = 0
            projection.weight[rows, at] = 1


def train(
    plan: Plan,
    world: World = WORLD,
    shape: Shape = Shape(layers=5),
    eye: Path | None = None,
    start: Path | None = None,
    after: int = 3,
    motion_share: float = 0.35,
    per_kind: int | None = None,
) -> Fitting:
    """Trains the decoder, exports, measures and writes the card.

    `eye` is the folder whose eye it sees with; `start` one to go on from.
    """
    if eye is None and start is None:
        raise SystemExit("starter-video-chat sees with the eye of starter-vision-chat: train that first.")
    torch.manual_seed(plan.seed)
    known = tokenizer(start or plan.work / "tokenizer", world)
    if start is not None:
        llava = LlavaForConditionalGeneration.from_pretrained(start, dtype=torch.float32)
    else:
        assert eye is not None
        llava = begin(vision_chat.config(known, shape), eye, known)
    watcher, encoder = Watcher(llava, after), FilmEncoder(known)

    def drawn(at: int) -> Iterator[Batch]:
        return batches(encoder, watcher.look, world, plan.seed, at)

    def shown(at: int) -> Iterator[Batch]:
        return frames_alone(encoder, watcher.look, world, plan.seed, at)

    if start is None and not (plan.work / "checkpoint.pt").exists():
        watcher.shortened()
        motion = replace(plan, work=plan.work / "motion", minutes=plan.minutes * motion_share)
        Fitting(motion, watcher, moved, shown).run()
        watcher.lengthened()
    fitting = Fitting(replace(plan, minutes=plan.minutes * (1 - motion_share)), watcher, loss, drawn)
    fitting.run()
    export(watcher.llava, known, plan.out)
    return fitting


def export(llava: LlavaForConditionalGeneration, known: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes the model in the layout of a model repository."""
    vision_chat.export(llava, known, folder)
    reads = vision_chat.processor(known)
    reads.chat_template = TEMPLATE
    reads.save_pretrained(folder)


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=60.0), **options)
