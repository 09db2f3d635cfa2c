"""Tiny random omni models with a voice of their own, made as their makers write them."""

from functools import partial
from pathlib import Path
from typing import Any

from .chat_families import OMNI_WORDS, omni_files, qwen2_5_omni
from .tiny_media import TEMPLATE, Build, ends, llama, tokenizer

ROPE = {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 10000.0}


def _voiced(thinker: dict[str, Any], words: Any, codes: int) -> Any:
    """So many codes of sound and four special ones; a wave of a few samples for each."""
    from transformers import Qwen2_5OmniConfig

    number = words.convert_tokens_to_ids
    shared = {
        name: value
        for name, value in thinker.items()
        if name.endswith(("token_index", "token_id")) and "audio_token_id" not in name
    }
    talker = shared | {
        "vocab_size": codes + 4,
        "tts_text_start_token_id": number("<|user|>"),
        "tts_text_end_token_id": number("<|end|>"),
        "tts_text_pad_token_id": number("<|assistant|>"),
        "tts_codec_pad_token_id": codes,
        "tts_codec_start_token_id": codes + 1,
        "tts_codec_end_token_id": codes + 2,
        "tts_codec_mask_token_id": codes + 3,
        "embedding_size": 48,
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "rope_parameters": ROPE,
        "initializer_range": 0.2,
    }
    dit = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "head_dim": 16,
        "emb_dim": 16,
        "num_embeds": codes + 4,
        "mel_dim": 8,
        "look_ahead_layers": [1],
        "look_backward_layers": [0],
        "enc_emb_dim": 12,
        "enc_dim": 12,
        "enc_channels": [16, 16, 16],
        "enc_kernel_sizes": [5, 3, 1],
        "enc_dilations": [1, 2, 1],
        "enc_attention_channels": 8,
        "enc_se_channels": 8,
    }
    wave = {
        "mel_dim": 8,
        "upsample_initial_channel": 16,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1, 3, 5]],
        "upsample_rates": [5, 4],
        "upsample_kernel_sizes": [11, 8],
    }
    parts: dict[str, Any] = {"dit_config": dit, "bigvgan_config": wave}
    return Qwen2_5OmniConfig(thinker_config=thinker, talker_config=talker, token2wav_config=parts)


def qwen2_5_omni_voiced(folder: Path, codes: int = 60) -> Path:
    """With the voices Chelsie and Ethan, who say more the more codes there are."""
    import torch

    qwen2_5_omni(folder, partial(_voiced, codes=codes))
    made = torch.Generator().manual_seed(5)
    voices = {
        name: {
            "bos_token": 3 + place,
            "cond": torch.randn(1, 12, generator=made),
            "ref_mel": torch.randn(1, 20, 8, generator=made),
        }
        for place, name in enumerate(("Chelsie", "Ethan"))
    }
    torch.save(voices, folder / "spk_dict.pt")
    return folder


QWEN3_TEMPLATE = TEMPLATE.replace("<|{{ m.role }}|>", "<|begin|><|{{ m.role }}|>\n").replace(
    "%}<|assistant|>{%", "%}<|begin|><|assistant|>\n{%"
)


def qwen3_omni(folder: Path) -> Path:
    """Thirty-two codes of sound in four groups; two experts in every layer; the voices Ethan and Chelsie."""
    import torch
    from transformers import Qwen3OmniMoeConfig, Qwen3OmniMoeForConditionalGeneration

    words = tokenizer(named=OMNI_WORDS | {"begin_token": "<|begin|>"})
    number = words.convert_tokens_to_ids
    experts = {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 32}
    small = {
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "initializer_range": 0.2,
    }
    media = {f"{kind}_token_id": number(f"<|{kind.upper()}|>") for kind in ("image", "audio", "video")}
    for place in ("vision_start", "audio_start", "vision_end", "audio_end"):
        what, _, side = place.partition("_")
        media[f"{place}_token_id"] = number(f"<|{what}_{'bos' if side == 'start' else 'eos'}|>")
    thinker = media | {
        "audio_config": {
            "d_model": 32,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "num_mel_bins": 40,
            "output_dim": 48,
            "downsample_hidden_size": 8,
        },
        "vision_config": {
            "depth": 1,
            "hidden_size": 32,
            "out_hidden_size": 48,
            "num_heads": 2,
            "intermediate_size": 48,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        "text_config": llama(words)
        | experts
        | {"model_type": "qwen3_omni_moe_text", "rope_parameters": ROPE, "head_dim": 12},
        "user_token_id": number("<|user|>"),
        "initializer_range": 0.2,
    }
    codes = small | {"head_dim": 12, "vocab_size": 32, "num_code_groups": 4}
    talker = media | {
        "code_predictor_config": codes,
        "text_config": small
        | experts
        | {"vocab_size": 1064, "rope_parameters": ROPE, "shared_expert_intermediate_size": 32},
        "num_code_groups": 4,
        "thinker_hidden_size": 48,
        "spatial_merge_size": 2,
        "accept_hidden_layer": 1,
        **{
            f"codec_{name}_id": 32 + place
            for place, name in enumerate(("eos_token", "nothink", "think_bos", "think_eos", "pad", "bos"))
        },
        "speaker_id": {"ethan": 38, "chelsie": 39},
        "initializer_range": 0.2,
    }
    wave = {
        "codebook_size": 40,
        "hidden_size": 32,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_quantizers": 4,
        "upsample_rates": [4, 3],
        "upsampling_ratios": [2, 2],
        "decoder_dim": 16,
        "initializer_range": 0.2,
    }
    config = Qwen3OmniMoeConfig(
        thinker_config=thinker,
        talker_config=talker,
        code2wav_config=wave,
        im_start_token_id=number("<|begin|>"),
        im_end_token_id=number("<|end|>"),
        tts_pad_token_id=number("<|assistant|>"),
        tts_bos_token_id=number("<|user|>"),
        tts_eos_token_id=number("<|end|>"),
        system_token_id=number("<|system|>"),
        user_token_id=number("<|user|>"),
        assistant_token_id=number("<|assistant|>"),
        **ends(words),
    )

    def drawn(config: Any) -> Any:
        model: Any = Qwen3OmniMoeForConditionalGeneration(config)
        for layer in model.talker.model.layers:
            for weight in layer.mlp.experts.parameters():  # transformers leaves what was in memory there
                torch.nn.init.normal_(weight, std=0.2)
        return model

    return omni_files(drawn, config, words, folder, patch=16, template=QWEN3_TEMPLATE)


SPEAKING: dict[str, Build] = {"qwen2.5-omni": qwen2_5_omni_voiced, "qwen3-omni": qwen3_omni}
