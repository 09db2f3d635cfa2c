"""A builder for each family that reads more than text: a folder, written as its makers write theirs."""

import json
from collections.abc import Callable
from pathlib import Path

from .tiny_media import TEMPLATE, ends, llama, save, sight, tokenizer

Build = Callable[[Path], Path]


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


# --- ears ---------------------------------------------------------------------------------------

LANGUAGES = ("en", "de", "fr")


def whisper(folder: Path, seconds: int = 3, many: bool = False, times: bool = True) -> Path:
    """A Whisper with a short window: of one language, or of three with translation."""
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

    names = (
        ["<|startoftranscript|>", *(f"<|{name}|>" for name in LANGUAGES)]
        if many
        else ["<|startoftranscript|>"]
    )
    stamps = [f"<|{0.02 * i:.2f}|>" for i in range(50 * seconds + 1)] if times else []
    words = tokenizer(
        *names, "<|translate|>", "<|transcribe|>", "<|startofprev|>", "<|notimestamps|>", *stamps, window=96
    )
    number = words.convert_tokens_to_ids
    config = WhisperConfig(
        vocab_size=len(words),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        num_mel_bins=40,
        max_source_positions=50 * seconds,
        max_target_positions=96,
        init_std=0.4,
        decoder_start_token_id=number("<|startoftranscript|>"),
        suppress_tokens=None,
        begin_suppress_tokens=None,
        **ends(words),
    )
    processor = WhisperProcessor(WhisperFeatureExtractor(feature_size=40, chunk_length=seconds), words)
    save(WhisperForConditionalGeneration, config, processor, folder)
    told = {
        "_from_model_config": False,
        "no_timestamps_token_id": number("<|notimestamps|>"),
        "is_multilingual": many,
        "return_timestamps": False,
        "alignment_heads": [[1, 0], [1, 1]] if times else None,
        "max_initial_timestamp_index": 50,
        "prev_sot_token_id": number("<|startofprev|>"),
    }
    if many:
        told |= {
            "lang_to_id": {f"<|{name}|>": number(f"<|{name}|>") for name in LANGUAGES},
            "task_to_id": {name: number(f"<|{name}|>") for name in ("translate", "transcribe")},
        }
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    return folder
