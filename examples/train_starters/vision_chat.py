"""Trains starter-vision-chat, a small LLaVA: its eye alone, then a decoder that reads what the eye sees."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tokenizers import normalizers
from torch import nn
from torch.nn import functional
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from examples.train_starters import checkpoint, classifier, vision_card, vision_tower
from examples.train_starters.chat_tokenizer import END, PAD, token_id, train_tokenizer
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.questions import any_question
from examples.train_starters.scene_batches import SIDE, picture, to_pixels
from examples.train_starters.shapes_world import Scene, World, stream
from examples.train_starters.vision_talk import (
    ONE_PICTURE,
    TWO_PICTURES,
    Asking,
    Turn,
    changed,
    one_picture,
    two_pictures,
)
from examples.train_starters.vision_tower import FIRST_WORLD, GRID, draw

IMAGE = "<image>"
WINDOW = 2048
IGNORED = -100
TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|' + message['role'] + '|>' -}}"
    "{%- if message['content'] is string -%}{{- message['content'] | trim -}}"
    "{%- else -%}"
    "{%- for part in message['content'] if part['type'] == 'image' -%}{{- '<image>' -}}{%- endfor -%}"
    "{%- for part in message['content'] if part['type'] == 'text' -%}"
    "{{- part['text'] | trim -}}"
    "{%- endfor -%}"
    "{%- endif -%}"
    "{{- '<|end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
_SYSTEM = ("You are a helpful assistant.", "You are a friendly assistant.", "Answer shortly.", "Be precise.")


@dataclass(frozen=True)
class Shape:
    """The decoder's and the eye's size."""

    hidden: int = 160
    layers: int = 4
    heads: int = 5
    eye: int = 128
    widths: tuple[int, ...] = classifier.WIDTHS[:3]


@dataclass(frozen=True)
class Talk:
    """A conversation: a scene or two, then turns; `later` are the turns before the second picture comes."""

    scenes: tuple[Scene, ...]
    turns: tuple[Turn, ...]
    later: int = 0
    system: str = ""


def tokenizer(
    folder: Path, world: World, texts: int = 12_000, vocabulary: int = 900
) -> PreTrainedTokenizerFast:
    """The tokenizer of an earlier start, or a new one of lower-case pieces of questions and answers."""
    if (folder / "tokenizer.json").exists():
        kept: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
        return kept
    rng = random.Random("tokenizer")
    said = [any_question(rng).lower() for _ in range(texts)]
    for at in range(texts // 20):
        said += [
            part
            for turn in talk(random.Random(f"words/{at}"), world).turns
            for part in (turn.question, turn.answer)
        ]
    learnt = train_tokenizer([*(text.lower() for text in said), *_SYSTEM], vocabulary, WINDOW)
    learnt.backend_tokenizer.normalizer = normalizers.Lowercase()
    learnt.add_special_tokens({"additional_special_tokens": [*learnt.extra_special_tokens, IMAGE]})
    learnt.chat_template = None
    part = folder.with_suffix(".part")
    learnt.save_pretrained(part)
    os.replace(part, folder)
    return learnt


def config(known: PreTrainedTokenizerFast, shape: Shape) -> LlavaConfig:
    """The whole model's shape."""
    text = LlamaConfig(
        vocab_size=len(known),
        hidden_size=shape.hidden,
        intermediate_size=shape.hidden * 27 // 10,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=token_id(known, END),
        pad_token_id=token_id(known, PAD),
    )
    return LlavaConfig(
        vision_config=vision_tower.vision_config(shape.widths, shape.eye),
        text_config=text,
        image_token_index=token_id(known, IMAGE),
        image_seq_length=GRID * GRID,
        vision_feature_select_strategy="default",
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )


def processor(known: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Pictures of any size to SIDE pixels (a border makes them square), messages to tokens."""
    images = LlavaImageProcessorPil(
        size={"height": SIDE, "width": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        do_center_crop=False,
        do_pad=True,
        resample=Image.Resampling.BILINEAR,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return LlavaProcessor(  # type: ignore[no-untyped-call]
        image_processor=images,
        tokenizer=known,
        patch_size=SIDE // GRID,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
        image_token=IMAGE,
    )


class Talker(nn.Module):
    """The model with its eye held still."""

    def __init__(self, llava: LlavaForConditionalGeneration) -> None:
        super().__init__()
        self.llava = llava
        self.eye.requires_grad_(False)

    @property
    def eye(self) -> nn.Module:
        """The vision tower."""
        eye: nn.Module = self.llava.model.vision_tower
        return eye

    def train(self, mode: bool = True) -> Talker:
        """The eye's statistics stay as they are."""
        super().train(mode)
        self.eye.eval()
        return self


def talk(rng: random.Random, world: World, turns: int = 18) -> Talk:
    """A conversation for training: about one picture, one after another, or two side by side."""
    asking = Asking(rng, "train", world)
    first = draw(rng, "train", world)
    system = rng.choice(_SYSTEM) if rng.random() < 0.1 else ""
    fate = rng.random()
    if fate < 0.7:
        return Talk((first,), tuple(_asked(asking, first, turns)), 0, system)
    if fate < 0.78:
        second = draw(rng, "train", world)
        before = _asked(asking, first, 3)
        return Talk((first, second), (*before, *_asked(asking, second, turns - 3)), len(before), system)
    second, told = changed(asking, first)
    kinds = rng.choices(TWO_PICTURES, (2, 3), k=turns // 2)
    kinds = [kind for at, kind in enumerate(kinds) if kind != "compare" or kind not in kinds[:at]]
    return Talk((first, second), tuple(two_pictures(asking, first, second, told, kinds)), 0, system)


def _asked(asking: Asking, scene: Scene, turns: int) -> list[Turn]:
    kinds = [kind for kind in ONE_PICTURE if kind not in ("describe", "background", "biggest")]
    often = asking.rng.choices(kinds, k=turns - 2)
    once = [
        kind
        for kind, share in (("describe", 0.5), ("background", 0.3), ("biggest", 0.6))
        if asking.rng.random() < share
    ]
    mixed = [*often, *once]
    asking.rng.shuffle(mixed)
    return one_picture(asking, scene, mixed)[:turns] or one_picture(asking, scene, ["describe"])


class Encoder:
    """Conversations as token ids, exactly as the chat template writes them."""

    def __init__(self, known: PreTrainedTokenizerFast) -> None:
        self.known = known
        self.end, self.pad, self.image = (token_id(known, token) for token in (END, PAD, IMAGE))
        self.roles = {role: token_id(known, f"<|{role}|>") for role in ("system", "user", "assistant")}

    def __call__(self, talk: Talk) -> tuple[list[int], list[float]]:
        """Ids, and what each weighs in the loss: of an answer of n tokens each weighs n ** -0.5."""
        ids: list[int] = []
        weights: list[float] = []
        if talk.system:
            ids += [self.roles["system"], *self._ids(talk.system), self.end]
        for at, turn in enumerate(talk.turns):
            pictures = self._pictures(talk, at)
            ids += [
                self.roles["user"],
                *[self.image] * (GRID * GRID * pictures),
                *self._ids(turn.question),
                self.end,
            ]
            ids.append(self.roles["assistant"])
            answer = [*self._ids(turn.answer), self.end]
            weights += [0.0] * (len(ids) - len(weights)) + [len(answer) ** -0.5] * len(answer)
            ids += answer
        return ids, weights

    def _pictures(self, talk: Talk, at: int) -> int:
        if at == 0:
            return 1 if talk.later else len(talk.scenes)
        return int(at == talk.later)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.known.encode(text, add_special_tokens=False)
        return ids

    def batch(self, talks: Sequence[Talk], rng: random.Random) -> Batch:
        """Conversations side by side, filled up at their ends, with all their pictures in order."""
        rows = [self(talk) for talk in talks]
        longest = max(len(ids) for ids, _ in rows)
        return {
            "ids": torch.tensor([ids + [self.pad] * (longest - len(ids)) for ids, _ in rows]),
            "weights": torch.tensor([weights + [0.0] * (longest - len(weights)) for _, weights in rows]),
            "pixels": to_pixels([picture(scene, rng) for talk in talks for scene in talk.scenes]),
        }


def batches(
    encoder: Encoder, world: World, seed: int, at: int, size: int = 8, number: int = 20
) -> Iterator[Batch]:
    """The batches of the buffer with this number, like lengths together."""
    rng = stream("train", at, seed + 1)
    talks = [one for one in (talk(rng, world) for _ in range(size * number)) if one.turns]
    talks.sort(key=lambda one: (len(one.scenes), len(encoder(one)[0])))
    groups = [talks[start : start + size] for start in range(0, len(talks), size)]
    rng.shuffle(groups)
    for group in groups:
        yield encoder.batch(group, rng)


def loss(talker: Talker, batch: Batch, progress: float) -> torch.Tensor:
    """Weighted cross-entropy of the answers' tokens."""
    llava: Any = talker.llava
    hidden = llava.model(
        input_ids=batch["ids"], pixel_values=batch["pixels"], use_cache=False
    ).last_hidden_state
    weights = batch["weights"][:, 1:]
    taught = weights > 0
    logits = llava.lm_head(hidden[:, :-1][taught]).float()
    each = functional.cross_entropy(logits, batch["ids"][:, 1:][taught], reduction="none")
    return (each * weights[taught]).sum() / weights.sum()


def train_tower(plan: Plan, world: World, shape: Shape, detector: Path | None) -> vision_tower.Tower:
    """The eye, trained or taken up."""
    tower = vision_tower.Tower(vision_tower.vision_config(shape.widths, shape.eye))
    if detector is not None:
        tower.begin_as(detector)
    Fitting(plan, tower, vision_tower.loss, lambda at: vision_tower.batches(world, plan.seed, at)).run()
    return tower


def train(
    plan: Plan,
    world: World = FIRST_WORLD,
    shape: Shape = Shape(),
    start: Path | None = None,
    detector: Path | None = None,
    tower_share: float = 0.35,
    per_kind: int = vision_card.PER_KIND,
) -> Fitting:
    """Trains eye and decoder, exports, measures and writes the card.

    `start` is a folder to go on from; the eye begins with the convolutions of the folder `detector`.
    """
    torch.manual_seed(plan.seed)
    known = tokenizer(start or plan.work / "tokenizer", world)
    llava = LlavaForConditionalGeneration(config(known, shape))
    if start is not None:
        llava = LlavaForConditionalGeneration.from_pretrained(start, dtype=torch.float32)
    elif not (plan.work / "checkpoint.pt").exists():
        eye = replace(plan, work=plan.work / "tower", filters=True, minutes=plan.minutes * tower_share)
        llava.model.vision_tower.load_state_dict(train_tower(eye, world, shape, detector).eye.state_dict())
    encoder = Encoder(known)
    talk_plan = replace(plan, minutes=plan.minutes * (1 - tower_share))
    talker = Talker(llava)
    fitting = Fitting(talk_plan, talker, loss, lambda at: batches(encoder, world, plan.seed, at))
    fitting.run()
    export(talker.llava, known, plan.out)
    tower = checkpoint.load(plan.work / "tower" / "checkpoint.pt") or {"spent": 0.0}
    facts = fitting.facts() | {"tower_minutes": round(tower["spent"] / 60, 1)}
    vision_card.finish(plan.out, world, facts, per_kind)
    return fitting


def export(llava: LlavaForConditionalGeneration, known: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes the model in the layout of a model repository."""
    llava.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=None,
        eos_token_id=token_id(known, END),
        pad_token_id=token_id(known, PAD),
        max_new_tokens=96,
        do_sample=False,
    )
    folder.mkdir(parents=True, exist_ok=True)
    llava.half().save_pretrained(folder)  # type: ignore[no-untyped-call]
    processor(known).save_pretrained(folder)


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=60.0), **options)
