"""The random Llama of 120 million parameters that speed is measured with, and what is asked of it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inference_chat.runners.batching import Batch
from inference_chat.runners.text import TextOptions, TextRunner
from inference_chat.schema import Message, Request
from tests import tiny

TOKENS = 24
WINDOW = 4608


def build(folder: Path) -> Path:
    """The model in bfloat16, with a tokenizer that makes a token of each letter and writes every token."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        num_key_value_heads=4,
        max_position_embeddings=WINDOW,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    tiny._tokenizer(WINDOW, config.vocab_size).save_pretrained(folder)
    return folder


def letters(number: int, count: int) -> str:
    """A text of `count` letters, a token each, that begins as that of no other number below 17,576 does."""
    begin = (number, number // 26, number // 676)
    rest = (number * 7 + i * (number % 5 + 1) for i in range(max(0, count - len(begin))))
    return "".join(chr(65 + letter % 26) for letter in (*begin, *rest))[:count]


def asked(prompt: str | tuple[Message, ...], tokens: int = TOKENS) -> Request:
    options = TextOptions(temperature=0, max_tokens=tokens)
    if isinstance(prompt, str):
        return Request(model="bench", prompt=prompt, options=options)
    return Request(model="bench", messages=prompt, options=options)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def forget(runner: TextRunner) -> None:
    """Drop the texts that were kept, so that a round begins as the one before."""
    assert isinstance(runner._engine, Batch)
    runner._engine.kept._slots.clear()
