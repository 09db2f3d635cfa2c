"""Models that hear and speak: a builder for each family, a folder written as its makers write theirs."""

import json
from pathlib import Path
from typing import Any

from .tiny_media import ends, save, tokenizer

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
