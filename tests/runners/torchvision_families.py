"""Tiny random models whose makers' code wants torchvision, one of them timm too; made where these are."""

from pathlib import Path
from typing import Any

from .tiny_media import TEMPLATE, Build, ends, llama, save, tokenizer


def gemma3n(folder: Path) -> Path:
    """With MobileNet-V5 in a tenth of its width; a picture is 256 tokens, a sound 188."""
    from transformers import (
        Gemma3nAudioFeatureExtractor,
        Gemma3nConfig,
        Gemma3nForConditionalGeneration,
        Gemma3nProcessor,
        SiglipImageProcessor,
    )

    named = {f"{name}_token": f"<{name}>" for name in ("boi", "image", "eoi", "boa", "audio", "eoa")}
    words = tokenizer(named=named, window=2048)
    number = {name: words.convert_tokens_to_ids(word) for name, word in named.items()}
    text = llama(words, window=2048) | {
        "model_type": "gemma3n_text",
        "intermediate_size": [96, 96],
        "head_dim": 12,
        "vocab_size_per_layer_input": number["boi_token"],
        "hidden_size_per_layer_input": 8,
        "num_kv_shared_layers": 0,
        "layer_types": ["sliding_attention", "full_attention"],
        "sliding_window": 64,
        "laurel_rank": 8,
        "activation_sparsity_pattern": [0.0, 0.0],
    }
    sound = {
        "vocab_size": 3,
        "vocab_offset": number["boa_token"],
        "hidden_size": 32,
        "conf_num_attention_heads": 2,
        "conf_num_hidden_layers": 1,
        "conf_attention_context_left": 5,
        "sscp_conv_channel_size": [8, 4],
    }
    sight = {
        "architecture": "mobilenetv5_300m_enc",
        "model_args": {"channel_multiplier": 0.1},
        "vocab_size": 3,
        "vocab_offset": number["boi_token"],
    }
    config = Gemma3nConfig(
        text_config=text,
        audio_config=sound,
        vision_config=sight,
        **{f"{name}_id": value for name, value in number.items()},
        **ends(words),
    )
    processor = Gemma3nProcessor(
        Gemma3nAudioFeatureExtractor(),
        SiglipImageProcessor(size={"height": 256, "width": 256}),
        words,
        TEMPLATE,
    )
    return save(Gemma3nForConditionalGeneration, config, processor, folder)


def phi4_multimodal(folder: Path) -> Path:
    """Pictures are as large as theirs are, for their processor counts on it."""
    from transformers import (
        Phi4MultimodalConfig,
        Phi4MultimodalFeatureExtractor,
        Phi4MultimodalForCausalLM,
        Phi4MultimodalImageProcessor,
        Phi4MultimodalProcessor,
    )

    words = tokenizer(named={"image_token": "<image>", "audio_token": "<audio>"}, window=2048)
    words.chat_template = TEMPLATE  # where theirs is
    number = words.convert_tokens_to_ids
    small: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2}
    sight = small | {
        "num_hidden_layers": 3,
        "image_size": 448,
        "patch_size": 14,
        "image_token_id": number("<image>"),
    }
    sound = small | {
        "num_blocks": 2,
        "ext_pw_out_channel": 32,
        "depthwise_separable_out_channel": 32,
        "nemo_conv_channels": 16,
        "audio_token_id": number("<audio>"),
    }
    text = llama(words, window=2048)
    del text["model_type"]
    config = Phi4MultimodalConfig(
        **text,
        original_max_position_embeddings=2048,
        vision_config=sight,
        audio_config=sound,
    )
    processor = Phi4MultimodalProcessor(
        Phi4MultimodalImageProcessor(dynamic_hd=2),
        Phi4MultimodalFeatureExtractor(),
        words,
    )
    return save(Phi4MultimodalForCausalLM, config, processor, folder)


FAMILIES: dict[str, Build] = {"gemma3n": gemma3n, "phi4-multimodal": phi4_multimodal}
