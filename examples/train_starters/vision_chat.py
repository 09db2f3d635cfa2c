"""Trains starter-vision-chat, a small LLaVA: its eye alone, then a decoder that reads what the eye sees.

Two things make the decoder learn within an hour. The projector begins as a dictionary: what the eye's head
says of a cell becomes the embeddings of those very words. And the questions about a picture stand side by
side in one sequence without seeing each other, so that a picture is read once for all of them.
"""

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
from examples.train_starters.questions import any_question, plural
from examples.train_starters.scene_batches import SIDE, picture, to_pixels
from examples.train_starters.shapes_world import COLOURS, SHAPES, SIZES, WORLD, Scene, World, stream
from examples.train_starters.vision_talk import (
    TWO_PICTURES,
    Asking,
    Turn,
    changed,
    one_picture,
    two_pictures,
)
from examples.train_starters.vision_tower import GRID, PARTS, draw

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


# How often a kind is asked of a picture that many things are asked of, and what is asked once at most.
_OFTEN = {"count": 4, "exist": 2, "color": 1, "shape": 1, "size": 1, "where": 2, "relation": 3, "check": 2}
_ONCE = {"describe": 0.6, "background": 0.3, "biggest": 0.4}


@dataclass(frozen=True)
class Shape:
    """The decoder's and the eye's size."""

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    eye: int = 128
    widths: tuple[int, ...] = classifier.WIDTHS[:3]


@dataclass(frozen=True)
class Talk:
    """A conversation: a scene or two, then turns; `later` are the turns before the second picture comes.

    With `apart` each turn is a conversation of its own about the same pictures.
    """

    scenes: tuple[Scene, ...]
    turns: tuple[Turn, ...]
    later: int = 0
    system: str = ""
    apart: bool = False


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


def talk(rng: random.Random, world: World, turns: int = 20) -> Talk:
    """Questions for training: each alone or in a conversation, about one picture, one after another, or two
    side by side."""
    asking = Asking(rng, "train", world)
    first = draw(rng, "train", world)
    system = rng.choice(_SYSTEM) if rng.random() < 0.1 else ""
    fate = rng.random()
    if fate < 0.5:
        return Talk((first,), tuple(_asked(asking, first, turns)), 0, system, True)
    if fate < 0.62:
        return Talk((first,), tuple(_asked(asking, first, rng.randint(2, 8))), 0, system)
    if fate < 0.7:
        second = draw(rng, "train", world)
        before = _asked(asking, first, 3)
        return Talk((first, second), (*before, *_asked(asking, second, 4)), len(before), system)
    second, told = changed(asking, first)
    kinds = rng.choices(TWO_PICTURES, (1, 1), k=turns // 2)
    asked = two_pictures(asking, first, second, told, kinds)
    return Talk((first, second), tuple(asked), 0, system, True)


def _asked(asking: Asking, scene: Scene, turns: int) -> list[Turn]:
    often = asking.rng.choices(tuple(_OFTEN), tuple(_OFTEN.values()), k=turns)
    once = [kind for kind, share in _ONCE.items() if asking.rng.random() < share * turns / 12]
    mixed = [*once, *often][:turns]
    asking.rng.shuffle(mixed)
    return one_picture(asking, scene, mixed) or one_picture(asking, scene, ["describe"])


class Encoder:
    """Conversations as token ids, exactly as the chat template writes them."""

    def __init__(self, known: PreTrainedTokenizerFast) -> None:
        self.known = known
        self.end, self.pad, self.image = (token_id(known, token) for token in (END, PAD, IMAGE))
        self.roles = {role: token_id(known, f"<|{role}|>") for role in ("system", "user", "assistant")}

    def __call__(self, talk: Talk) -> tuple[list[int], list[float], list[int]]:
        """Ids; what each weighs in the loss (of an answer of n tokens each n ** -0.5); the turns' numbers
        where they stand apart, 0 for what all of them see."""
        ids: list[int] = []
        weights: list[float] = []
        apart: list[int] = []
        if talk.system:
            ids += [self.roles["system"], *self._ids(talk.system), self.end]
        for at, turn in enumerate(talk.turns):
            pictures = [self.image] * (GRID * GRID * self._pictures(talk, at))
            if at == 0 or not talk.apart:
                ids += [self.roles["user"], *pictures]
            apart += [0] * (len(ids) - len(apart))
            ids += [*self._ids(turn.question), self.end, self.roles["assistant"]]
            answer = [*self._ids(turn.answer), self.end]
            weights += [0.0] * (len(ids) - len(weights)) + [len(answer) ** -0.5] * len(answer)
            ids += answer
            apart += [at + 1 if talk.apart else 0] * (len(ids) - len(apart))
        return ids, weights, apart

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
        longest = max(len(ids) for ids, _, _ in rows)
        apart = torch.tensor([turns + [-1] * (longest - len(turns)) for _, _, turns in rows])
        return {
            "ids": torch.tensor([ids + [self.pad] * (longest - len(ids)) for ids, _, _ in rows]),
            "weights": torch.tensor([weights + [0.0] * (longest - len(weights)) for _, weights, _ in rows]),
            "seen": seen(apart),
            "places": places(apart),
            "pixels": to_pixels([picture(scene, rng) for talk in talks for scene in talk.scenes]),
        }


def seen(apart: torch.Tensor) -> torch.Tensor:
    """Which tokens see which, [batch, 1, length, length], of the turns' numbers [batch, length]."""
    shared = (apart[:, None, :] == 0) | (apart[:, None, :] == apart[:, :, None])
    return shared.tril()[:, None]


def places(apart: torch.Tensor) -> torch.Tensor:
    """The tokens' positions: every turn that stands apart follows what all of them see."""
    at = torch.arange(apart.shape[1]).expand_as(apart)
    begins = torch.ones_like(apart, dtype=torch.bool)
    begins[:, 1:] = apart[:, 1:] != apart[:, :-1]
    start = torch.where(begins, at, 0).cummax(1).values
    common = (apart == 0).sum(1, keepdim=True)
    return torch.where(apart > 0, common + at - start, at)


def batches(
    encoder: Encoder, world: World, seed: int, at: int, size: int = 8, number: int = 40
) -> Iterator[Batch]:
    """The batches of the buffer with this number, like lengths together."""
    rng = stream("train", at, seed + 1)
    talks = [one for one in (talk(rng, world) for _ in range(size * number)) if one.turns]
    talks.sort(key=lambda one: (len(one.scenes), len(encoder(one)[0])))
    groups = [talks[start : start + size] for start in range(0, len(talks), size)]
    rng.shuffle(groups)
    for group in groups:
        yield encoder.batch(group, rng)


def logits(talker: Talker, batch: Batch, taught: torch.Tensor) -> torch.Tensor:
    """What the decoder expects after the tokens `taught` [batch, length], [tokens, vocabulary]."""
    llava: Any = talker.llava
    with torch.no_grad(), torch.autocast(batch["pixels"].device.type, enabled=False):
        cells = llava.model.vision_tower(batch["pixels"], output_hidden_states=True).hidden_states[-1][:, 1:]
    embedded = llava.get_input_embeddings()(batch["ids"])
    at_pictures = batch["ids"] == llava.config.image_token_id
    embedded = embedded.masked_scatter(
        at_pictures[..., None], llava.model.multi_modal_projector(cells).to(embedded.dtype)
    )
    hidden = llava.model.language_model(
        inputs_embeds=embedded, attention_mask=batch["seen"], position_ids=batch["places"], use_cache=False
    ).last_hidden_state
    expected: torch.Tensor = llava.lm_head(hidden[taught])
    return expected.float()


def loss(talker: Talker, batch: Batch, progress: float) -> torch.Tensor:
    """Weighted cross-entropy of the answers' tokens."""
    weights = functional.pad(batch["weights"][:, 1:], (0, 1))
    taught = weights > 0
    next_ids = functional.pad(batch["ids"][:, 1:], (0, 1))[taught]
    each = functional.cross_entropy(logits(talker, batch, taught), next_ids, reduction="none")
    return (each * weights[taught]).sum() / weights.sum()


@torch.no_grad()
def begin_as_dictionary(
    llava: LlavaForConditionalGeneration, tower: vision_tower.Tower, known: PreTrainedTokenizerFast
) -> None:
    """Makes the projector say in embeddings what the eye's head says: red, circle, large.

    A word is one embedding at first, at the start of a text, within it and in the plural.
    """
    projector: Any = llava.model.multi_modal_projector
    words = llava.get_input_embeddings().weight
    said = tower.head.weight.clone(), tower.head.bias.clone()
    for part in said:
        part[-len(COLOURS) :] -= part[-len(COLOURS) :].mean(0)
    rows = min(len(said[0]), len(projector.linear_1.weight))
    projector.linear_1.weight[:rows], projector.linear_1.bias[:rows] = said[0][:rows], said[1][:rows]
    for at, name in enumerate((*SHAPES, *COLOURS, *SIZES), PARTS["centre"]):
        forms = (f" {name}", name, f" {plural(name)}")
        pieces = [known.encode(form, add_special_tokens=False) for form in forms]
        whole = [form[0] for form in pieces if len(form) == 1]
        if whole and at < rows:
            words[whole] = words[whole[0]].clone()
            projector.linear_2.weight[:, at] = words[whole[0]]


def train_tower(plan: Plan, world: World, shape: Shape, detector: Path | None) -> vision_tower.Tower:
    """The eye, trained or taken up."""
    tower = vision_tower.Tower(vision_tower.vision_config(shape.widths, shape.eye))
    if detector is not None:
        tower.begin_as(detector)
    Fitting(plan, tower, vision_tower.loss, lambda at: vision_tower.batches(world, plan.seed, at)).run()
    return tower


def train(
    plan: Plan,
    world: World = WORLD,
    shape: Shape = Shape(),
    start: Path | None = None,
    detector: Path | None = None,
    tower_share: float = 0.2,
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
        eye = replace(
            plan, work=plan.work / "tower", filters=True, rate=2e-3, minutes=plan.minutes * tower_share
        )
        tower = train_tower(eye, world, shape, detector)
        llava.model.vision_tower.load_state_dict(tower.eye.state_dict())
        begin_as_dictionary(llava, tower, known)
    encoder = Encoder(known)
    talk_plan = replace(plan, minutes=plan.minutes * (1 - tower_share))
    talker = Talker(llava)
    fitting = Fitting(talk_plan, talker, loss, lambda at: batches(encoder, world, plan.seed, at))
    fitting.run()
    export(talker.llava, known, plan.out)
    seeing = checkpoint.load(plan.work / "tower" / "checkpoint.pt") or {"spent": 0.0}
    facts = fitting.facts() | {"tower_minutes": round(seeing["spent"] / 60, 1)}
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
