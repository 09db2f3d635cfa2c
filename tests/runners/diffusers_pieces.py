"""What tiny pipelines of diffusers are put together from: encoders of words, autoencoders, denoisers."""

from typing import Any

from tests import tiny

WORDS = 77


def clip(width: int = 16, projection: bool = False) -> tuple[Any, Any]:
    """A CLIP text encoder and its tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    words = tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=WORDS,
        projection_dim=width,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config), words


def t5(width: int = 16) -> tuple[Any, Any]:
    from transformers import T5Config, T5EncoderModel

    words = tokenizer()
    config = T5Config(vocab_size=len(words), d_model=width, d_ff=2 * width, d_kv=8, num_layers=2, num_heads=2)
    return T5EncoderModel(config), words


def tokenizer() -> Any:
    words = tiny._tokenizer(WORDS)
    words.bos_token = "<|system|>"
    return words


def kl(channels: int = 4, **more: Any) -> Any:
    """An image VAE that makes pictures 8 times smaller."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        **{
            "shift_factor": 0.1,
            "block_out_channels": (8, 8, 8, 8),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "latent_channels": channels,
            "norm_num_groups": 4,
            "layers_per_block": 1,
        }
        | more
    )


def unet(**more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        **{
            "sample_size": 8,
            "block_out_channels": (8, 16),
            "layers_per_block": 1,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": 16,
            "attention_head_dim": 4,
            "norm_num_groups": 4,
        }
        | more
    )
