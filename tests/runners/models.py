"""Tiny real models of many families, and how the tests ask them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from inference_chat.events import Event, Result
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.text import TextOptions, TextRunner
from inference_chat.schema import Message, Request
from tests import tiny

ATTENTION = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96}
FAMILIES: dict[str, dict[str, Any]] = {
    "Llama": ATTENTION,
    "Qwen2": ATTENTION,
    "Phi3": ATTENTION,
    "Mistral": ATTENTION | {"sliding_window": 24},
    "Gemma2": ATTENTION | {"head_dim": 16, "sliding_window": 24, "query_pre_attn_scalar": 16},
    "Gemma3": ATTENTION | {"head_dim": 16, "sliding_window": 24, "query_pre_attn_scalar": 16},
    "GPT2": {"n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 1024},
    "Qwen3": ATTENTION | {"head_dim": 16},
    "OPT": {"ffn_dim": 64, "num_attention_heads": 4, "word_embed_proj_dim": 48, "init_std": 0.2},
    "GPTNeoX": {"num_attention_heads": 4, "intermediate_size": 96},
    "GptOss": ATTENTION
    | {"head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 24}
    | {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
    "Bloom": {"n_head": 4, "n_layer": 2},
    "Mamba": {"state_size": 8},
    "Lfm2": ATTENTION | {"layer_types": ["conv", "full_attention"]},
}
ONE_BY_ONE = ("Bloom", "Mamba", "Lfm2")
"""Families that cannot be read in a batch with other texts."""
OWN_CONFIG = {"Gemma3": "Gemma3TextConfig"}
OWN_MODEL = {"GPT2": "GPT2LMHeadModel"}


def build(family: str, folder: Path, **changes: Any) -> Path:
    """Write a random two-layer model of `family` with a window of 1,024 tokens."""
    import torch
    import transformers

    tokenizer = tiny._tokenizer(1024)
    size = {"hidden_size": 48, "num_hidden_layers": 2, "max_position_embeddings": 1024}
    common = {"vocab_size": len(tokenizer), "initializer_range": 0.2, "bos_token_id": None}
    end = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    settings = common | end | ({} if family == "GPT2" else size) | FAMILIES[family] | changes
    config = getattr(transformers, OWN_CONFIG.get(family, f"{family}Config"))(**settings)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = getattr(transformers, OWN_MODEL.get(family, f"{family}ForCausalLM"))(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def open_runner(folder: Path, dtype: str = "float32", quantization: str = "auto") -> TextRunner:
    runner = TextRunner(inspect(folder), Placement("cpu", dtype, quantization))
    runner.load()
    return runner


def request(asked: str | tuple[Message, ...], **options: Any) -> Request:
    """A prompt to continue, or messages to answer; greedy and short unless told otherwise."""
    how = TextOptions(**{"temperature": 0, "max_tokens": 24} | options)
    if isinstance(asked, str):
        return Request(model="tiny@1", prompt=asked, options=how)
    return Request(model="tiny@1", messages=asked, options=how)


def events(runner: TextRunner, asked: str | tuple[Message, ...], **options: Any) -> list[Event]:
    return list(runner.run(request(asked, **options), Flag()))


def answer(runner: TextRunner, asked: str | tuple[Message, ...], **options: Any) -> Result:
    return Result.of(events(runner, asked, **options))


def user(text: str) -> Message:
    return Message(role="user", content=text)


def assistant(text: str) -> Message:
    return Message(role="assistant", content=text)


def system(text: str) -> Message:
    return Message(role="system", content=text)


def real(*parts: str) -> Path:
    """A folder of things that people really have; skips the test where they are not at hand."""
    home = os.environ.get("INFERENCE_CHAT_REAL")
    root = Path(home) if home else Path(__file__).parents[3] / "shared" / "real"
    folder = root.joinpath(*parts)
    if not folder.exists():
        pytest.skip("set INFERENCE_CHAT_REAL to a folder with real models")
    return folder


def taking_turns(runs: Sequence[Iterator[Event]]) -> list[list[Event]]:
    """Step runs in turn as the inference thread does, to the end of all."""
    logs: list[list[Event]] = [[] for _ in runs]
    going = list(zip(runs, logs, strict=True))
    while going:
        for pair in list(going):
            run, log = pair
            try:
                log.append(next(run))
            except StopIteration:
                going.remove(pair)
    return logs
