"""Models that describe pictures and read texts in them: a builder for each family."""

from pathlib import Path
from typing import Any

from .tiny_media import EYES, SQUARE, Build, ends, llama, save, tokenizer

READER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
}


def _bert_words() -> Any:
    """A tokenizer that puts [CLS] before and [SEP] behind, as BERT's does."""
    from tokenizers.processors import TemplateProcessing

    words = tokenizer("[CLS]", "[SEP]", window=128)
    words.cls_token, words.sep_token, words.eos_token = "[CLS]", "[SEP]", "[SEP]"
    marks = [(mark, words.convert_tokens_to_ids(mark)) for mark in ("[CLS]", "[SEP]")]
    words._tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    return words


def blip(folder: Path, head: str = "ForConditionalGeneration") -> Path:
    import transformers
    from transformers import BlipConfig, BlipImageProcessorPil, BlipProcessor

    words = _bert_words()
    text = READER | {
        "vocab_size": len(words),
        "encoder_hidden_size": 32,
        "bos_token_id": words.cls_token_id,
        "eos_token_id": words.sep_token_id,
        "sep_token_id": words.sep_token_id,
        "pad_token_id": 0,
    }
    config = BlipConfig(text_config=text, vision_config=EYES)
    return save(
        getattr(transformers, f"Blip{head}"),
        config,
        BlipProcessor(BlipImageProcessorPil(size=SQUARE), words),
        folder,
    )


def blip_questions(folder: Path) -> Path:
    return blip(folder, "ForQuestionAnswering")


def git(folder: Path) -> Path:
    from transformers import CLIPImageProcessorPil, GitConfig, GitForCausalLM, GitProcessor

    words = _bert_words()
    config = GitConfig(
        vision_config=EYES,
        vocab_size=len(words),
        bos_token_id=words.cls_token_id,
        eos_token_id=words.sep_token_id,
        pad_token_id=0,
        **READER,
    )
    eyes = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=SQUARE)
    return save(GitForCausalLM, config, GitProcessor(eyes, words), folder)


def trocr(folder: Path) -> Path:
    from transformers import (
        TrOCRConfig,
        TrOCRProcessor,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessorPil,
    )

    words = tokenizer(window=128)
    decoder = TrOCRConfig(
        vocab_size=len(words),
        d_model=32,
        decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=48,
        max_position_embeddings=128,
        init_std=0.3,
        cross_attention_hidden_size=32,
        **ends(words),
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(**EYES), decoder)
    config.decoder_start_token_id, config.pad_token_id = words.eos_token_id, words.pad_token_id
    return save(
        VisionEncoderDecoderModel, config, TrOCRProcessor(ViTImageProcessorPil(size=SQUARE), words), folder
    )


def donut(folder: Path) -> Path:
    from transformers import (
        DonutImageProcessorPil,
        DonutProcessor,
        DonutSwinConfig,
        MBartConfig,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
    )

    words = tokenizer("<s_read>", window=128)
    eyes = DonutSwinConfig(
        image_size=32, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4
    )
    how: dict[str, Any] = {"add_cross_attention": True, "cross_attention_hidden_size": 32}
    decoder = MBartConfig(
        vocab_size=len(words),
        d_model=32,
        decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=48,
        max_position_embeddings=128,
        init_std=0.3,
        forced_eos_token_id=None,
        is_decoder=True,
        **how,
        **ends(words),
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(eyes, decoder)
    config.decoder_start_token_id, config.pad_token_id = words.convert_tokens_to_ids("<s_read>"), 0
    processor = DonutProcessor(DonutImageProcessorPil(size=SQUARE), words)
    return save(VisionEncoderDecoderModel, config, processor, folder)


CAPTIONS: dict[str, Build] = {"blip": blip, "git": git, "trocr": trocr, "donut": donut}


def paligemma(folder: Path) -> Path:
    from transformers import (
        PaliGemmaConfig,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        SiglipImageProcessorPil,
    )

    words = tokenizer(named={"image_token": "<image>"})
    words.bos_token = "<|user|>"
    eyes: Any = SiglipImageProcessorPil(size=SQUARE)
    eyes.image_seq_length = 16
    config = PaliGemmaConfig(
        vision_config=EYES | {"vision_use_head": False, "projection_dim": 48},
        text_config=llama(words) | {"model_type": "gemma", "head_dim": 16},
        image_token_index=words.convert_tokens_to_ids("<image>"),
        projection_dim=48,
        hidden_size=48,
        **ends(words) | {"bos_token_id": words.bos_token_id},
    )
    return save(PaliGemmaForConditionalGeneration, config, PaliGemmaProcessor(eyes, words), folder)


def florence2(folder: Path) -> Path:
    from transformers import (
        CLIPImageProcessorPil,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
    )

    words = tokenizer(named={"image_token": "<image>"})
    words.bos_token = "<|user|>"
    eyes: Any = CLIPImageProcessorPil(size=SQUARE, crop_size=SQUARE, do_center_crop=False)
    eyes.image_seq_length = 5
    config = Florence2Config(
        vision_config={
            "depths": [1, 1],
            "embed_dim": [16, 32],
            "num_heads": [2, 2],
            "num_groups": [2, 2],
            "patch_size": [7, 3],
            "patch_stride": [8, 2],
            "patch_padding": [3, 1],
            "patch_prenorm": [False, True],
            "window_size": 2,
            "projection_dim": 32,
            "initializer_range": 0.2,
        },
        text_config={
            "model_type": "bart",
            "vocab_size": len(words),
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 2,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "decoder_ffn_dim": 48,
            "max_position_embeddings": 128,
            "init_std": 0.3,
            "forced_eos_token_id": None,
            "decoder_start_token_id": 1,
            **ends(words),
        },
        image_token_id=words.convert_tokens_to_ids("<image>"),
        **ends(words) | {"decoder_start_token_id": 1},
    )
    return save(Florence2ForConditionalGeneration, config, Florence2Processor(eyes, words), folder)


TOLD: dict[str, Build] = {"paligemma": paligemma, "florence2": florence2}


def blip2(folder: Path) -> Path:
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        BlipImageProcessorPil,
    )

    words = tokenizer("<image>", window=128)
    queries = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    config = Blip2Config(
        vision_config=EYES,
        qformer_config=queries | {"encoder_hidden_size": 32, "vocab_size": 30},
        text_config={
            "model_type": "opt",
            "vocab_size": len(words),
            "hidden_size": 32,
            "word_embed_proj_dim": 32,
            "ffn_dim": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 128,
            "init_std": 0.3,
            **ends(words) | {"bos_token_id": words.eos_token_id},
        },
        num_query_tokens=4,
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )
    processor = Blip2Processor(BlipImageProcessorPil(size=SQUARE), words, num_query_tokens=4)
    return save(Blip2ForConditionalGeneration, config, processor, folder)
