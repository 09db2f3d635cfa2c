"""A tiny real GGUF file: the tiny Llama of `tests/tiny.py` in llama.cpp's format, number by number."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

ALIGNED = 32
FLOATS, BRAINS = 0, 30
"""How llama.cpp numbers float32 and bfloat16."""
UINT, INT, FLOAT, TEXT, LIST = 4, 5, 6, 8, 9
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def convert(folder: Path, file: Path, *, brains: bool = False) -> Path:
    """Write the model of a folder, in float32 or (`brains`) its matrices in bfloat16, into a file."""
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    tensors = {}
    for name, weight in load_file(folder / "model.safetensors").items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = config["num_attention_heads" if "q_proj" in name else "num_key_value_heads"]
            weight = _interleaved(weight, heads)
        tensors[_name(name)] = _numbers(weight, brains and weight.ndim > 1)
    settings = _settings(config) | _words(folder, config)
    file.write_bytes(_file(settings, tensors))
    return file


def _numbers(weight: Any, brains: bool) -> Any:
    """A tensor as numpy has it: float32, or the sixteen bits of each bfloat16."""
    import torch

    if brains:
        return weight.to(torch.bfloat16).contiguous().view(torch.int16).numpy()
    return weight.float().contiguous().numpy()


def _interleaved(weight: Any, heads: int) -> Any:
    """Rows as llama.cpp turns them: pairs side by side, not in two halves."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def _name(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem.startswith("model.layers."):
        _, _, number, rest = stem.split(".", 3)
        return f"blk.{number}.{NAMES[rest]}.weight"
    return f"{NAMES[stem]}.weight"


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    numbers = {
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "block_count": config["num_hidden_layers"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["num_key_value_heads"],
        "rope.dimension_count": config["hidden_size"] // config["num_attention_heads"],
        "vocab_size": config["vocab_size"],
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
    }
    return {"general.architecture": "llama"} | {f"llama.{name}": value for name, value in numbers.items()}


def _words(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    told = json.loads((folder / "tokenizer.json").read_text())
    known = dict(told["model"]["vocab"]) | {one["content"]: one["id"] for one in told["added_tokens"]}
    special = {one["id"] for one in told["added_tokens"]}
    words = sorted(known, key=lambda word: int(known[word]))
    unused = [f"<|unused {number}|>" for number in range(len(words), config["vocab_size"])]
    template = (folder / "chat_template.jinja").read_text()
    kinds = [3 if known[word] in special else 1 for word in words]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": words + unused,
        "tokenizer.ggml.token_type": kinds + [5] * len(unused),
        "tokenizer.ggml.merges": [" ".join(pair) for pair in told["model"]["merges"]],
        "tokenizer.ggml.eos_token_id": config["eos_token_id"] or 0,
        "tokenizer.ggml.padding_token_id": config["pad_token_id"],
        "tokenizer.chat_template": template,
    }


def _file(settings: dict[str, Any], tensors: dict[str, Any]) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(settings))
    for name, value in settings.items():
        head += _text(name) + _typed(value)
    data = bytearray()
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, _kind(tensor), len(data))
        data += tensor.tobytes()
        data += bytes(-len(data) % ALIGNED)
    return head + bytes(-len(head) % ALIGNED) + bytes(data)


def _kind(tensor: Any) -> int:
    return BRAINS if tensor.dtype == np.int16 else FLOATS


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _typed(value: Any) -> bytes:
    if isinstance(value, list):
        kind = TEXT if isinstance(value[0], str) else INT
        return struct.pack("<IIQ", LIST, kind, len(value)) + b"".join(_bare(one) for one in value)
    kind = TEXT if isinstance(value, str) else FLOAT if isinstance(value, float) else UINT
    return struct.pack("<I", kind) + _bare(value)


def _bare(value: Any) -> bytes:
    if isinstance(value, str):
        return _text(value)
    return struct.pack("<f" if isinstance(value, float) else "<I", value)
