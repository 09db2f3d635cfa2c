"""Trains starter-listener, a small Whisper that writes down what is said."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import nn
from torch.nn import functional
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.listener_batches import IGNORED, LETTERS, SECONDS, batches, masked
from examples.train_starters.listener_card import finish
from examples.train_starters.listener_data.sentences import sentence, vocabulary
from examples.train_starters.listener_data.speech import TESTS, fill, for_training

END, START, PLAIN = "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"
SPECIAL = (END, START, "<|en|>", "<|transcribe|>", "<|nospeech|>", PLAIN)
HOP, MELS = 320, 64
POSITIONS = SECONDS * 16_000 // HOP // 2
LONGEST = 48
_ALIGNING, _MASKED_FROM = 1.0, 0.35


def tokenizer(texts: Iterable[str], size: int) -> WhisperTokenizer:
    """Whisper's kind of tokenizer, byte-level BPE, learnt from the texts."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    learnt = json.loads(learner.to_str())["model"]
    known = WhisperTokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in learnt["merges"]],
        unk_token=END,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=list(SPECIAL[1:]),
        model_max_length=LONGEST,
    )
    known.set_prefix_tokens()
    return known


def processor(folder: Path, texts: int = 20_000, size: int = 800) -> Any:
    """The processor of an earlier start, or a new one."""
    if not (folder / "tokenizer.json").exists():
        rng = random.Random(0)
        known = tokenizer((*(sentence(rng) for _ in range(texts)), *vocabulary()), size)
        extractor = WhisperFeatureExtractor(  # type: ignore[no-untyped-call]
            feature_size=MELS, sampling_rate=16_000, hop_length=HOP, chunk_length=SECONDS, n_fft=512
        )
        part = folder.with_suffix(".part")
        WhisperProcessor(extractor, known).save_pretrained(part)  # type: ignore[no-untyped-call]
        os.replace(part, folder)
    return WhisperProcessor.from_pretrained(folder)


def config(known: Any, width: int = 128, encoder: int = 3, decoder: int = 2) -> WhisperConfig:
    """The model's shape."""
    end, start = known.convert_tokens_to_ids(END), known.convert_tokens_to_ids(START)
    return WhisperConfig(
        vocab_size=len(known),
        num_mel_bins=MELS,
        d_model=width,
        encoder_layers=encoder,
        decoder_layers=decoder,
        encoder_attention_heads=width // 32,
        decoder_attention_heads=width // 32,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_source_positions=POSITIONS,
        max_target_positions=LONGEST,
        dropout=0.05,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )


def generation(known: Any, shape: WhisperConfig) -> GenerationConfig:
    """How the model writes: from the start token, without timestamps, in its one language."""
    settings: Any = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=shape.bos_token_id,
        eos_token_id=shape.eos_token_id,
        pad_token_id=shape.pad_token_id,
        decoder_start_token_id=shape.decoder_start_token_id,
        max_length=LONGEST,
    )
    settings.is_multilingual = False
    settings.return_timestamps = False
    settings.no_timestamps_token_id = known.convert_tokens_to_ids(PLAIN)
    return cast(GenerationConfig, settings)


def encode(model: Any, features: torch.Tensor) -> torch.Tensor:
    """The encoder's states for features [batch, mel, frames] of any width up to the window.

    transformers' own encoder takes the whole window only; short sentences are learnt several times faster
    without.
    """
    encoder = model.model.encoder
    hidden = functional.gelu(encoder.conv1(features))
    hidden = functional.gelu(encoder.conv2(hidden)).permute(0, 2, 1)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    hidden = functional.dropout(hidden, encoder.dropout, encoder.training)
    for layer in encoder.layers:
        output = layer(hidden, None)
        hidden = output[0] if isinstance(output, tuple) else output
    states: torch.Tensor = encoder.layer_norm(hidden)
    return states


class Taught(nn.Module):
    """The model with a second, simpler mouth on its encoder, which spells and is left behind after training.

    It is taught by CTC (Graves et al. 2006), which aligns sound and letters by itself; attention alone takes
    many times as long to find where to look.
    """

    def __init__(self, whisper: WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.whisper = whisper
        self.lm_head = nn.Linear(whisper.config.d_model, len(LETTERS))


def loss(taught: Taught, batch: Batch, progress: float) -> torch.Tensor:
    """Cross-entropy of each next token, the two that are given aside, and CTC on the encoder."""
    model: Any = taught.whisper
    features = masked(batch["features"]) if progress > _MASKED_FROM else batch["features"]
    states = encode(model, features)
    hidden = model.model.decoder(
        input_ids=batch["ids"][:, :-1], encoder_hidden_states=states, use_cache=False
    ).last_hidden_state
    wanted = batch["labels"][:, 1:].clone()
    wanted[:, 0] = IGNORED
    given = wanted != IGNORED
    written = functional.cross_entropy(
        model.proj_out(hidden[given]).float(), wanted[given], label_smoothing=0.05
    )
    return written + _ALIGNING * aligning(taught, states, batch)


def aligning(taught: Taught, states: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The CTC loss of the letters that are said, given the states [batch, positions, width]."""
    chances = taught.lm_head(states).float().log_softmax(-1).transpose(0, 1)
    positions = torch.full((len(states),), len(chances))
    return functional.ctc_loss(chances, batch["letters"], positions, batch["lengths"], zero_infinity=True)


def train(plan: Plan, speech: Path, sentences: int = 18_000, tested: int = 300, width: int = 128) -> Fitting:
    """Renders what is missing, trains, exports, measures and writes the card."""
    torch.manual_seed(plan.seed)
    known, heard = processor(plan.work / "processor"), fill(speech / "train", sentences, for_training)
    model = WhisperForConditionalGeneration(config(known.tokenizer, width))
    fitting = Fitting(plan, Taught(model), loss, lambda at: batches(known, heard, plan.seed, at))
    fitting.run()
    export(plan.out, model, known)
    tests = {name: fill(speech / name, tested, draw) for name, draw in TESTS.items()}
    finish(plan.out, tests, fitting.facts() | {"sentences": len(heard)}, len(vocabulary()))
    return fitting


def export(out: Path, model: Any, known: Any) -> None:
    """The model's folder."""
    model.generation_config = generation(known.tokenizer, model.config)
    model.half().save_pretrained(out)
    known.save_pretrained(out)


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=95.0, rate=3e-3), **options)
