"""Trains starter-vision-chat, a small LLaVA: its eye alone, then a decoder that reads what the eye sees.

Two things make the decoder learn within hours. The projector begins as a dictionary: what the eye's head
says of a cell becomes the embeddings of those very words. And the questions about a picture stand side by
side in one sequence without seeing each other, so that a picture is read once for all of them.
"""

from __future__ import annotations

import json
import random
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
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    MistralConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from examples.train_starters import checkpoint, classifier, vision_card, vision_tower
from examples.train_starters.chat_tokenizer import END, PAD, token_id, train_tokenizer
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.questions import any_question, plural
from examples.train_starters.scene_batches import SIDE
from examples.train_starters.shapes_world import COLOURS, SHAPES, SIZES, WORLD, World
from examples.train_starters.vision_batches import IMAGE, SYSTEM, Encoder, batches, talk
from examples.train_starters.vision_looking import look_back
from examples.train_starters.vision_tower import GRID, PARTS

WINDOW = 2048
# How large embeddings and names begin, how loud the eye's head is of what it is sure of, how large the last
# norm's weights and those of attention begin.
_WORD, _NAME, _LOUD, _LAST, _LIKENESS, _BROUGHT = 0.2, 2.0, 5.0, 0.5, 0.06, 0.6
_NAMES = (*SHAPES, *COLOURS, *SIZES)
# The peak rates of the eye, of an eye that is trained on, and of a decoder that is.
_EYE, _EYE_ON, _ON = 2e-3, 1e-3, 2e-3
# Of the scenes that a grown eye learns from, the share that is full of small things.
_CROWDS = 0.5
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


@dataclass(frozen=True)
class Shape:
    """The decoder's and the eye's size."""

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    eye: int = 128
    widths: tuple[int, ...] = classifier.WIDTHS[:3]


def tokenizer(
    folder: Path, world: World, texts: int = 12_000, vocabulary: int = 900
) -> PreTrainedTokenizerFast:
    """The tokenizer of an earlier start, or a new one of lower-case pieces of questions and answers."""

    def learn() -> PreTrainedTokenizerFast:
        rng = random.Random("tokenizer")
        said = [any_question(rng).lower() for _ in range(texts)]
        for at in range(texts // 20):
            said += [
                part
                for turn in talk(random.Random(f"words/{at}"), world).turns
                for part in (turn.question, turn.answer)
            ]
        learnt = train_tokenizer([*(text.lower() for text in said), *SYSTEM], vocabulary, WINDOW)
        learnt.backend_tokenizer.normalizer = normalizers.Lowercase()
        learnt.add_special_tokens({"additional_special_tokens": [*learnt.extra_special_tokens, IMAGE]})
        learnt.chat_template = None
        return learnt

    return checkpoint.tokenizer(folder, learn)


def config(known: PreTrainedTokenizerFast, shape: Shape) -> LlavaConfig:
    """The whole model's shape."""
    text = MistralConfig(
        vocab_size=len(known),
        hidden_size=shape.hidden,
        intermediate_size=shape.hidden * 27 // 10,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.hidden // shape.heads,
        sliding_window=None,
        max_position_embeddings=WINDOW,
        rope_parameters={"rope_type": "default", "rope_theta": 1e7},
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


def taken_up(folder: Path) -> LlavaForConditionalGeneration:
    """The folder's model. A decoder of the Llama type is read as one of Mistral's, which is the same, but may
    have more heads than its width has room for."""
    shape: Any = LlavaConfig.from_pretrained(folder)
    text = shape.text_config.to_dict()
    shape.text_config = MistralConfig(**text | {"model_type": "mistral", "sliding_window": None})
    return LlavaForConditionalGeneration.from_pretrained(folder, config=shape, dtype=torch.float32)


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
    """The model with its eye and its dictionary held still."""

    def __init__(self, llava: LlavaForConditionalGeneration) -> None:
        super().__init__()
        self.llava = llava
        # On a processor this learns a third quicker than the fused attention.
        self.llava.model.language_model.set_attn_implementation("eager")
        self.eye.requires_grad_(False)
        self.llava.model.multi_modal_projector.requires_grad_(False)

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
        inputs_embeds=embedded,
        attention_mask=added(batch["seen"]),
        position_ids=batch["places"],
        use_cache=False,
    ).last_hidden_state
    expected: torch.Tensor = llava.lm_head(hidden[taught])
    return expected.float()


def added(seen: torch.Tensor) -> torch.Tensor:
    """What attention adds to its scores, of which tokens see which."""
    kind = seen.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


def loss(talker: Talker, batch: Batch, progress: float) -> torch.Tensor:
    """Weighted cross-entropy of the answers' tokens."""
    weights = functional.pad(batch["weights"][:, 1:], (0, 1))
    taught = weights > 0
    next_ids = functional.pad(batch["ids"][:, 1:], (0, 1))[taught]
    each = functional.cross_entropy(logits(talker, batch, taught), next_ids, reduction="none")
    return (each * weights[taught]).sum() / weights.sum()


@torch.no_grad()
def say(llava: LlavaForConditionalGeneration, tower: vision_tower.Tower) -> int:
    """Gives the projector what the eye's head says; in how many of its numbers."""
    first: Any = llava.model.multi_modal_projector.linear_1
    said = tower.head.weight.clone(), tower.head.bias.clone()
    for part in said:
        part[-len(COLOURS) :] -= part[-len(COLOURS) :].mean(0)
    rows = min(len(said[0]), len(first.weight))
    first.weight[:rows], first.bias[:rows] = said[0][:rows], said[1][:rows]
    return rows


@torch.no_grad()
def begin_as_dictionary(
    llava: LlavaForConditionalGeneration, tower: vision_tower.Tower, known: PreTrainedTokenizerFast
) -> None:
    """Makes the projector say in numbers what the eye's head says: red, circle, large; it stays so.

    A name has one number in the embeddings of its word (in the plural too) and one in those of cells.
    """
    projector: Any = llava.model.multi_modal_projector
    embeddings: Any = llava.get_input_embeddings()
    words = embeddings.weight.normal_(0, _WORD)
    rows = say(llava, tower)
    meaning = torch.randn_like(projector.linear_2.weight) * _WORD / _LOUD
    meaning[:, rows:] = 0
    meaning[:, PARTS["centre"] + len(_NAMES) : sum(PARTS.values())] *= 0.4
    if len(words[0]) >= 3 * len(_NAMES):
        words[:, : 2 * len(_NAMES)] = 0
        meaning[: 2 * len(_NAMES)] = 0
        for at, name in enumerate(_NAMES):
            for form in (f" {name}", name, f" {plural(name)}"):
                words[known.encode(form, add_special_tokens=False)[-1], at] = _NAME
            meaning[:, PARTS["centre"] + at] = 0
            meaning[len(_NAMES) + at, PARTS["centre"] + at] = _NAME / _LOUD
    projector.linear_2.weight.copy_(meaning)
    projector.linear_2.bias.zero_()


@torch.no_grad()
def begin_with_looking(llava: LlavaForConditionalGeneration) -> None:
    """Attention begins by looking for what is like itself, and by copying it (arXiv:2305.09828); of each
    layer two heads look in the cells for what a word names: one brings the cell's names, one the rest."""
    text: Any = llava.model.language_model
    names, width = len(_NAMES), text.config.head_dim
    # The slots that rotary positions turn least.
    slots = sorted(range(width), key=lambda slot: (-(slot % (width // 2)), slot))[:names]
    word, seen = torch.arange(names), torch.arange(names, 2 * names)
    for layer in text.layers:
        look = layer.self_attn
        look.q_proj.weight.normal_(0, _LIKENESS)
        look.k_proj.weight.copy_(look.q_proj.weight)
        look.v_proj.weight.normal_(0, _LIKENESS)
        if text.config.hidden_size >= 3 * names and width >= names:
            look.v_proj.weight[width : 2 * width].mul_(2)
            for head in (0, 1):
                rows = torch.tensor(slots) + head * width
                for projection, numbers in ((look.q_proj, word), (look.k_proj, seen)):
                    projection.weight[head * width : (head + 1) * width] = 0
                    projection.weight[rows, numbers] = 1
        look.o_proj.weight.copy_(look.v_proj.weight.T)
        if text.config.hidden_size >= 3 * names and width >= names:
            look.v_proj.weight[:width], look.o_proj.weight[:, :width] = 0, 0
            look.v_proj.weight[torch.tensor(slots), seen] = _BROUGHT
            look.o_proj.weight[word, torch.tensor(slots)] = _BROUGHT
    text.norm.weight.fill_(_LAST)


def train_tower(plan: Plan, world: World, tower: vision_tower.Tower, crowds: float) -> None:
    """Trains the eye, or takes it up; `crowds` is the share of scenes full of small things."""
    Fitting(
        plan, tower, vision_tower.loss, lambda at: vision_tower.batches(world, plan.seed, at, crowds=crowds)
    ).run()


def see(
    plan: Plan, world: World, llava: LlavaForConditionalGeneration, detector: Path | None, grown: bool
) -> vision_tower.Tower:
    """The model's eye, trained from the detector's convolutions or, where it is `grown`, trained on."""
    shape: Any = llava.config.vision_config
    tower = vision_tower.Tower(shape)
    eye: Any = llava.model.vision_tower
    if grown:
        tower.begin_as_grown(eye, llava.model.multi_modal_projector.linear_1)
    elif detector is not None:
        tower.begin_as(detector)
    train_tower(plan, world, tower, _CROWDS if grown else 0.0)
    eye.load_state_dict(tower.eye.state_dict())
    return tower


def train(
    plan: Plan,
    world: World = WORLD,
    shape: Shape = Shape(),
    start: Path | None = None,
    detector: Path | None = None,
    tower_share: float = 0.3,
    per_kind: int = vision_card.PER_KIND,
) -> Fitting:
    """Trains eye and decoder, exports, measures and writes the card.

    `start` is a folder to go on from, its eye first, if that has a share of the time; a new eye begins with
    the convolutions of `detector`.
    """
    torch.manual_seed(plan.seed)
    known = tokenizer(start or plan.work / "tokenizer", world)
    llava = LlavaForConditionalGeneration(config(known, shape))
    if start is not None:
        llava = taken_up(start)
    if tower_share and not (plan.work / "checkpoint.pt").exists():
        eye = replace(plan, work=plan.work / "tower", filters=True, minutes=plan.minutes * tower_share)
        eye = replace(eye, rate=_EYE if start is None else _EYE_ON)
        tower = see(eye, world, llava, detector, grown=start is not None)
        if start is None:
            begin_with_looking(llava)
            begin_as_dictionary(llava, tower, known)
        else:
            say(llava, tower)
    text: Any = llava.config.text_config
    if text.num_attention_heads * text.head_dim == text.hidden_size:
        look_back(llava, world)
    encoder = Encoder(known)
    rate = plan.rate if start is None else _ON
    talk_plan = replace(plan, rate=rate, minutes=plan.minutes * (1 - tower_share))
    talker = Talker(llava)
    fitting = Fitting(talk_plan, talker, loss, lambda at: batches(encoder, world, plan.seed, at))
    fitting.run()
    export(talker.llava, known, plan.out)
    seeing = checkpoint.load(plan.work / "tower" / "checkpoint.pt") or {"spent": 0.0}
    facts = fitting.facts() | {"tower_minutes": round(seeing["spent"] / 60, 1), "before": before(start)}
    vision_card.finish(plan.out, world, facts, per_kind)
    return fitting


def before(start: Path | None) -> dict[str, float]:
    """The minutes that decoder and eye had had in all when `start` was written, as its figures say."""
    if start is None or not (start / "eval.json").exists():
        return {}
    last: dict[str, Any] = json.loads((start / "eval.json").read_text(encoding="utf-8"))["training"]
    names = ("minutes", "tower_minutes")
    return {name: round(last[name] + last.get("before", {}).get(name, 0.0), 1) for name in names}


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
    return replace(Plan(out=out, work=work, minutes=135.0), **options)
