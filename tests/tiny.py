"""A real but tiny model: a random two-layer Llama with a byte-level tokenizer and a chat template.

`build(folder)` writes it in Hugging Face layout in well under a second. The same seed gives the same
weights, so greedy answers repeat between runs.
"""

import json
from pathlib import Path

CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TOOLS_TEMPLATE = (
    "{% if tools %}<|system|>{{ tools | tojson }} Call them as <tool_call>…</tool_call>.<|end|>{% endif %}"
    "{% for m in messages %}<|{{ 'user' if m.role == 'tool' else m.role }}|>{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<tool_call>\n{{ c.function | tojson }}\n</tool_call>{% endfor %}"
    "<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""One that knows tools, in the way of Hermes and Qwen."""

SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
MERGES = [("t", "h"), ("th", "e"), ("Ġ", "a"), ("Ġ", "the"), ("i", "n"), ("e", "r"), ("o", "n")]


def build(
    folder: Path,
    *,
    seed: int = 0,
    window: int = 256,
    layers: int = 2,
    width: int = 64,
    dtype: str = "float32",
    template: str = CHAT_TEMPLATE,
) -> Path:
    """Write the model into `folder` and return it; `window` is its context length in tokens."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(window)
    tokenizer.chat_template = template
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=width,
                intermediate_size=2 * width,
                num_hidden_layers=layers,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=window,
                pad_token_id=tokenizer.convert_tokens_to_ids("<|pad|>"),
                bos_token_id=None,
                eos_token_id=tokenizer.convert_tokens_to_ids("<|end|>"),
                # Large enough that answers vary and do not stop at once.
                initializer_range=0.2,
            )
        )
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def endless(model: Path) -> Path:
    """Take the end of an answer from a model's vocabulary, so that greedy answers run to `max_tokens`."""
    from safetensors.torch import load_file, save_file

    file = model / "model.safetensors"
    weights = load_file(file)
    weights["lm_head.weight"][SPECIAL.index("<|end|>")] = 0
    save_file(weights, file, metadata={"format": "pt"})
    return model


def card(folder: Path, name: str = "tiny-llama", version: str = "1.0.0", **fields: object) -> Path:
    """Write the README.md that makes `folder` a model of our own."""
    head = {"name": name, "version": version, "license": "mit", "pipeline_tag": "text-generation"} | fields
    lines = [f"{key}: {json.dumps(value)}" for key, value in head.items()]
    (folder / "README.md").write_text("\n".join(["---", *lines, "---", f"# {name}", "A test model.", ""]))
    return folder


def _tokenizer(window: int, size: int = 0):
    """A tokenizer by letters and a few pairs; filled up to `size` with words that no text is read as."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in MERGES)]
    words += [f"\u0120w{number}" for number in range(len(words), size)]
    inner = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=MERGES))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=SPECIAL[2:],
        chat_template=CHAT_TEMPLATE,
        model_max_length=window,
        clean_up_tokenization_spaces=False,
    )
