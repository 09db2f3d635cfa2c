"""A builder for each family that reads more than text: a folder, written as its makers write theirs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


WAVES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": (16, 16),
    "conv_kernel": (10, 8),
    "conv_stride": (8, 40),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"etaoinshrdlu"]


def ctc(folder: Path, family: str = "Wav2Vec2") -> Path:
    import transformers
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    processor = Wav2Vec2Processor(
        Wav2Vec2FeatureExtractor(), Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), do_lower_case=True)
    )
    config = getattr(transformers, f"{family}Config")(vocab_size=len(LETTERS), pad_token_id=0, **WAVES)
    return save(getattr(transformers, f"{family}ForCTC"), config, processor, folder)


def wav2vec2_classifier(folder: Path) -> Path:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

    config = Wav2Vec2Config(id2label={0: "bell", 1: "bark", 2: "rain"}, classifier_proj_size=16, **WAVES)
    return save(Wav2Vec2ForSequenceClassification, config, Wav2Vec2FeatureExtractor(), folder)


def wav2vec2_encoder(folder: Path) -> Path:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    return save(Wav2Vec2Model, Wav2Vec2Config(**WAVES), Wav2Vec2FeatureExtractor(), folder)


def ast(folder: Path) -> Path:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    config = ASTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_length=128,
        num_mel_bins=32,
        id2label={0: "bell", 1: "bark", 2: "rain"},
    )
    return save(
        ASTForAudioClassification, config, ASTFeatureExtractor(max_length=128, num_mel_bins=32), folder
    )


def clap(folder: Path) -> Path:
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor

    words = tokenizer(window=64)
    config = ClapConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 48,
            "max_position_embeddings": 66,
            "projection_dim": 16,
            **ends(words),
            "pad_token_id": 0,
        },
        audio_config={
            "num_mel_bins": 64,
            "spec_size": 64,
            "depths": [1, 1],
            "num_attention_heads": [2, 2],
            "patch_embeds_hidden_size": 16,
            "hidden_size": 32,
            "window_size": 4,
            "projection_dim": 16,
            "num_classes": 3,
            "enable_fusion": False,
        },
        projection_dim=16,
    )
    ears = ClapFeatureExtractor(
        feature_size=64, max_length_s=1, hop_length=800, truncation="rand_trunc", padding="repeatpad"
    )
    return save(ClapModel, config, ClapProcessor(ears, words), folder)


# --- voices -------------------------------------------------------------------------------------


SPOKEN = "_ abcdefghijklmnop.,'"


def vits(folder: Path, voices: int = 1) -> Path:
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    folder.mkdir()
    (folder / "vocab.json").write_text(
        json.dumps({letter: i for i, letter in enumerate("_ abcdefghijklmnop.,'")})
    )
    words = VitsTokenizer(
        str(folder / "vocab.json"),
        pad_token="_",
        unk_token="_",
        normalize=True,
        phonemize=False,
        is_uroman=False,
    )
    config = VitsConfig(
        vocab_size=len(SPOKEN),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=32,
        flow_size=16,
        spectrogram_bins=17,
        prior_encoder_num_flows=1,
        posterior_encoder_num_wavenet_layers=1,
        duration_predictor_num_flows=1,
        duration_predictor_filter_channels=16,
        depth_separable_num_layers=1,
        upsample_initial_channel=16,
        upsample_rates=[4, 4],
        upsample_kernel_sizes=[8, 8],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
        num_speakers=voices,
        speaker_embedding_size=8 if voices > 1 else 0,
        sampling_rate=16000,
    )
    return save(VitsModel, config, words, folder)


def speecht5(folder: Path, vocoder: bool = True) -> Path:
    from transformers import (
        SpeechT5Config,
        SpeechT5FeatureExtractor,
        SpeechT5ForTextToSpeech,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
        SpeechT5Processor,
    )

    words = tokenizer(window=64)
    config = SpeechT5Config(
        vocab_size=len(words),
        hidden_size=24,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_mel_bins=80,
        speaker_embedding_dim=16,
        speech_decoder_prenet_units=16,
        speech_decoder_postnet_units=16,
        speech_decoder_postnet_layers=2,
        **ends(words),
    )
    save(SpeechT5ForTextToSpeech, config, SpeechT5Processor(SpeechT5FeatureExtractor(), words), folder)
    if vocoder:
        small = SpeechT5HifiGanConfig(
            model_in_dim=80,
            upsample_initial_channel=16,
            upsample_rates=[4, 4],
            upsample_kernel_sizes=[8, 8],
            resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3]],
        )
        SpeechT5HifiGan(small).save_pretrained(folder / "vocoder")
    return folder


# --- texts --------------------------------------------------------------------------------------


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


# --- captions -----------------------------------------------------------------------------------

EYES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
    "initializer_range": 0.2,
}
READER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
}
SQUARE = {"height": 32, "width": 32}


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


# --- other families of vision chat --------------------------------------------------------------


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


# --- chat that hears ----------------------------------------------------------------------------


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


def qwen2_5_omni(folder: Path) -> Path:
    """A thinker without a talker; the processor's files as its makers write them."""
    from transformers import (
        Qwen2_5OmniConfig,
        Qwen2_5OmniForConditionalGeneration,
        Qwen2VLImageProcessorPil,
        WhisperFeatureExtractor,
    )

    named = {
        "image_token": "<|IMAGE|>",
        "audio_token": "<|AUDIO|>",
        "video_token": "<|VIDEO|>",
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
    }
    words = tokenizer(named=named)
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
    config = Qwen2_5OmniConfig(thinker_config=thinker, enable_audio_output=False)
    eyes = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=56 * 56, patch_size=14, merge_size=2)
    save(Qwen2_5OmniForConditionalGeneration, config, eyes, folder)
    told = json.loads((folder / "preprocessor_config.json").read_text())
    WhisperFeatureExtractor(feature_size=40, chunk_length=2).save_pretrained(folder)
    both = json.loads((folder / "preprocessor_config.json").read_text()) | told
    (folder / "preprocessor_config.json").write_text(json.dumps(both))
    words.save_pretrained(folder)
    marks = (
        "{% if part.type == 'image' %}<|vision_bos|><|IMAGE|><|vision_eos|>"
        "{% else %}<|audio_bos|><|AUDIO|><|audio_eos|>{% endif %}"
    )
    (folder / "chat_template.jinja").write_text(TEMPLATE.replace("<{{ part.type }}>", marks))
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


# --- captions with a language model behind ------------------------------------------------------


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
