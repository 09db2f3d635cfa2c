"""Models that read and rewrite texts: a builder for each family."""

import json
from pathlib import Path

from .tiny_media import ends, save, tokenizer


def bert(folder: Path, head: str = "ForSequenceClassification", pooling: str | None = None) -> Path:
    import transformers

    words = tokenizer(window=64)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        id2label={0: "glad", 1: "sad"},
        pad_token_id=0,
    )
    save(getattr(transformers, f"Bert{head}"), config, words, folder)
    if pooling:
        (folder / "1_Pooling").mkdir()
        told = {
            f"pooling_mode_{name}": name == pooling for name in ("cls_token", "mean_tokens", "max_tokens")
        }
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(told))
    return folder


def t5(folder: Path) -> Path:
    from transformers import T5Config, T5ForConditionalGeneration

    words = tokenizer(window=512)
    config = T5Config(
        vocab_size=len(words),
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        initializer_factor=6.0,
        **ends(words) | {"decoder_start_token_id": 0},
    )
    return save(T5ForConditionalGeneration, config, words, folder)


def bart(folder: Path) -> Path:
    from transformers import BartConfig, BartForConditionalGeneration

    words = tokenizer(window=128)
    config = BartConfig(
        vocab_size=len(words),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_position_embeddings=128,
        init_std=0.3,
        decoder_start_token_id=1,
        forced_eos_token_id=None,
        **ends(words),
    )
    return save(BartForConditionalGeneration, config, words, folder)
