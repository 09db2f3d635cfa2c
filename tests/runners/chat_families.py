"""Conversations that see or hear: a builder for each family, a folder written as its makers write theirs."""

import json
from pathlib import Path
from typing import Any

from .tiny_media import EYES, SQUARE, TEMPLATE, Build, ends, llama, save, sight, tokenizer


def llava(folder: Path, window: int = 1024) -> Path:
    from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    words = tokenizer("<image>", window=window)
    config = LlavaConfig(
        vision_config=sight(),
        text_config=llama(words, window),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        **ends(words),
    )
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    return save(LlavaForConditionalGeneration, config, processor, folder)


VISION: dict[str, Build] = {"llava": llava}


def llava_next(folder: Path) -> Path:
    from transformers import (
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextImageProcessorPil,
        LlavaNextProcessor,
    )

    words = tokenizer("<image>")
    config = LlavaNextConfig(
        vision_config=sight(),
        text_config=llama(words),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=[[32, 64], [64, 32]],
        vision_feature_layer=-1,
        **ends(words),
    )
    eyes = LlavaNextImageProcessorPil(
        size={"shortest_edge": 32}, crop_size=SQUARE, image_grid_pinpoints=[[32, 64], [64, 32]]
    )
    processor = LlavaNextProcessor(
        eyes,
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    return save(LlavaNextForConditionalGeneration, config, processor, folder)


def idefics3(folder: Path) -> Path:
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
    )

    words = tokenizer(
        "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<row_1_col_1>"
    )
    config = Idefics3Config(
        vision_config=EYES,
        text_config=llama(words),
        scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        **ends(words),
    )
    eyes = Idefics3ImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    processor = Idefics3Processor(eyes, words, image_seq_len=4, chat_template=TEMPLATE)
    return save(Idefics3ForConditionalGeneration, config, processor, folder)


def gemma3(folder: Path) -> Path:
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessorPil,
        Gemma3Processor,
    )

    words = tokenizer(named={"boi_token": "<image>", "eoi_token": "<end_of_image>", "image_token": "<soft>"})
    text = llama(words) | {"model_type": "gemma3_text", "head_dim": 16, "sliding_window": 24}
    config = Gemma3Config(
        text_config=text | {"query_pre_attn_scalar": 16},
        vision_config=EYES | {"vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=words.boi_token_id,
        eoi_token_index=words.eoi_token_id,
        image_token_index=words.image_token_id,
        **ends(words),
    )
    processor = Gemma3Processor(Gemma3ImageProcessorPil(size=SQUARE), words, TEMPLATE, image_seq_length=4)
    return save(Gemma3ForConditionalGeneration, config, processor, folder)


QWENS = {"Qwen2VL": "qwen2_vl_text", "Qwen2_5_VL": "qwen2_5_vl_text", "Qwen3VL": "qwen3_vl_text"}


def qwen2_vl(folder: Path, family: str = "Qwen2VL") -> Path:
    """As its makers write it; its processor is only files here, for it is not made without torchvision."""
    import transformers
    from transformers import Qwen2VLImageProcessorPil

    words = tokenizer("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    number = words.convert_tokens_to_ids
    text = llama(words) | {
        "model_type": QWENS[family],
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 10000.0},
    }
    every: dict[str, dict[str, Any]] = {
        "Qwen2VL": {"depth": 2, "embed_dim": 32, "hidden_size": 48, "num_heads": 2, "mlp_ratio": 2},
        "Qwen2_5_VL": {
            "depth": 2,
            "hidden_size": 32,
            "out_hidden_size": 48,
            "num_heads": 2,
            "intermediate_size": 48,
            "fullatt_block_indexes": [1],
            "window_size": 28,
        },
        "Qwen3VL": {
            "depth": 2,
            "hidden_size": 32,
            "out_hidden_size": 48,
            "num_heads": 2,
            "intermediate_size": 48,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
    }
    config = getattr(transformers, f"{family}Config")(
        text_config=text,
        vision_config=every[family] | {"patch_size": 14, "temporal_patch_size": 2, "spatial_merge_size": 2},
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
        **ends(words),
    )
    prepared = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=56 * 56, patch_size=14, merge_size=2)
    save(getattr(transformers, f"{family}ForConditionalGeneration"), config, prepared, folder)
    words.save_pretrained(folder)
    marked = TEMPLATE.replace("<{{ part.type }}>", "<|vision_start|><|{{ part.type }}_pad|><|vision_end|>")
    (folder / "chat_template.jinja").write_text(marked)
    return folder


def qwen2_5_vl(folder: Path) -> Path:
    return qwen2_vl(folder, "Qwen2_5_VL")


def qwen3_vl(folder: Path) -> Path:
    return qwen2_vl(folder, "Qwen3VL")


VISION |= {
    "llava-next": llava_next,
    "idefics3": idefics3,
    "gemma3": gemma3,
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen2_5_vl,
    "qwen3-vl": qwen3_vl,
}


def qwen2_audio(folder: Path) -> Path:
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    words = tokenizer("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
    config = Qwen2AudioConfig(
        audio_config={
            "d_model": 32,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "num_mel_bins": 40,
            "max_source_positions": 100,
            "initializer_range": 0.2,
        },
        text_config=llama(words) | {"model_type": "qwen2"},
        audio_token_index=words.convert_tokens_to_ids("<|AUDIO|>"),
        **ends(words),
    )
    ears = WhisperFeatureExtractor(feature_size=40, chunk_length=2)
    processor = Qwen2AudioProcessor(ears, words, TEMPLATE.replace("<{{ part.type }}>", "<|AUDIO|>"))
    return save(Qwen2AudioForConditionalGeneration, config, processor, folder)


def qwen2_5_omni(folder: Path, config: Any = None) -> Path:
    """A thinker without a talker; the processor's files as its makers write them.

    `config` makes another one of the thinker's settings and the tokenizer.
    """
    from transformers import Qwen2_5OmniConfig, Qwen2_5OmniForConditionalGeneration

    words = tokenizer(named=OMNI_WORDS)
    number = words.convert_tokens_to_ids
    rope = {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 10000.0}
    thinker = {
        "audio_config": {
            "d_model": 32,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "num_mel_bins": 40,
            "max_source_positions": 100,
            "n_window": 20,
            "output_dim": 48,
        },
        "vision_config": {
            "depth": 1,
            "hidden_size": 32,
            "out_hidden_size": 48,
            "num_heads": 2,
            "intermediate_size": 48,
            "fullatt_block_indexes": [0],
            "window_size": 28,
            "patch_size": 14,
        },
        "text_config": llama(words) | {"model_type": "qwen2_5_omni_text", "rope_parameters": rope},
        "image_token_index": number("<|IMAGE|>"),
        "video_token_index": number("<|VIDEO|>"),
        "audio_token_index": number("<|AUDIO|>"),
        "audio_start_token_id": number("<|audio_bos|>"),
        "audio_end_token_id": number("<|audio_eos|>"),
        "vision_start_token_id": number("<|vision_bos|>"),
        "vision_end_token_id": number("<|vision_eos|>"),
        "initializer_range": 0.2,
    }
    made = (
        config(thinker, words)
        if config
        else Qwen2_5OmniConfig(thinker_config=thinker, enable_audio_output=False)
    )
    return omni_files(Qwen2_5OmniForConditionalGeneration, made, words, folder, patch=14)


OMNI_WORDS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}


def omni_files(
    model_class: Any, config: Any, words: Any, folder: Path, patch: int, template: str = TEMPLATE
) -> Path:
    """A random omni model with what prepares its inputs; `template` has a mark for each kind of part."""
    from transformers import Qwen2VLImageProcessorPil, WhisperFeatureExtractor

    side = 2 * patch
    eyes = Qwen2VLImageProcessorPil(
        min_pixels=side**2, max_pixels=4 * side**2, patch_size=patch, merge_size=2
    )
    save(model_class, config, eyes, folder)
    told = json.loads((folder / "preprocessor_config.json").read_text())
    WhisperFeatureExtractor(feature_size=40, chunk_length=2).save_pretrained(folder)
    both = json.loads((folder / "preprocessor_config.json").read_text()) | told
    (folder / "preprocessor_config.json").write_text(json.dumps(both))
    words.save_pretrained(folder)
    marks = (
        "{% if part.type == 'image' %}<|vision_bos|><|IMAGE|><|vision_eos|>"
        "{% else %}<|audio_bos|><|AUDIO|><|audio_eos|>{% endif %}"
    )
    (folder / "chat_template.jinja").write_text(template.replace("<{{ part.type }}>", marks))
    return folder


LISTENING: dict[str, Build] = {"qwen2-audio": qwen2_audio, "qwen2.5-omni": qwen2_5_omni}


def llava_next_video(folder: Path) -> Path:
    """With the processor's files only, for it is not made without torchvision."""
    from transformers import (
        LlavaNextImageProcessorPil,
        LlavaNextVideoConfig,
        LlavaNextVideoForConditionalGeneration,
    )

    words = tokenizer("<image>", "<video>")
    points = [[32, 64], [64, 32]]
    config = LlavaNextVideoConfig(
        vision_config=sight(),
        text_config=llama(words),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=points,
        vision_feature_layer=-1,
        **ends(words),
    )
    eyes = LlavaNextImageProcessorPil(
        size={"shortest_edge": 32}, crop_size=SQUARE, image_grid_pinpoints=points
    )
    save(LlavaNextVideoForConditionalGeneration, config, eyes, folder)
    words.save_pretrained(folder)
    told = {
        "processor_class": "LlavaNextVideoProcessor",
        "patch_size": 8,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
    }
    (folder / "processor_config.json").write_text(json.dumps(told))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def smolvlm(folder: Path) -> Path:
    """With the processor's files only, for it is not made without torchvision."""
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMImageProcessorPil

    words = tokenizer(
        "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<row_1_col_1>"
    )
    config = SmolVLMConfig(
        vision_config=EYES,
        text_config=llama(words),
        scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        **ends(words),
    )
    eyes = SmolVLMImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    save(SmolVLMForConditionalGeneration, config, eyes, folder)
    words.save_pretrained(folder)
    told = {"processor_class": "SmolVLMProcessor", "image_seq_len": 4}
    (folder / "processor_config.json").write_text(json.dumps(told))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


VISION |= {"llava-next-video": llava_next_video, "smolvlm": smolvlm}
