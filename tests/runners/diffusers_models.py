"""Tiny real pipelines of diffusers, random and saved to folders, each in a second or less."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_chat.events import Event, ImageReady
from inference_chat.media import open_image
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.diffusion import ClipOptions, DiffusionRunner, EditOptions, PictureOptions
from inference_chat.schema import Media, Request
from inference_chat.tasks import Task
from tests import tiny

WORDS = 77
LABELS = {"0": "tench, Tinca", "1": "goldfish", "2": "great white shark"}


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


def stable_diffusion() -> Any:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    encoder, words = clip()
    return StableDiffusionPipeline(
        vae=kl(mid_block_add_attention=False),
        text_encoder=encoder,
        tokenizer=words,
        unet=unet(),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


MEDIUM_M = 43.4
"""Millions of numbers in `medium`."""


def medium_diffusion() -> Any:
    """Wide enough that a step takes as long as in models that people use small."""
    pipe = stable_diffusion()
    pipe.register_modules(
        unet=unet(
            sample_size=16,
            block_out_channels=(96, 192, 384),
            layers_per_block=2,
            norm_num_groups=32,
            attention_head_dim=8,
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        ),
        vae=kl(4, block_out_channels=(32, 64, 128, 128), norm_num_groups=32),
    )
    return pipe


def stable_diffusion_xl() -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    one, words = clip()
    two, others = clip(projection=True)
    model = unet(
        cross_attention_dim=32,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 16,
        transformer_layers_per_block=(1, 1),
        use_linear_projection=True,
    )
    return StableDiffusionXLPipeline(kl(), one, two, words, others, model, EulerDiscreteScheduler())


def stable_diffusion_3() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    one, words = clip(projection=True)
    two, others = clip(projection=True)
    three, more = t5(width=32)
    model = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=32,
        pos_embed_max_size=16,
    )
    return StableDiffusion3Pipeline(
        model, FlowMatchEulerDiscreteScheduler(), kl(16), one, words, two, others, three, more
    )


def flux() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    one, words = clip()
    two, more = t5()
    model = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        pooled_projection_dim=16,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    return FluxPipeline(FlowMatchEulerDiscreteScheduler(), kl(), one, words, two, more, model)


def dit() -> Any:
    from diffusers import DDPMScheduler, DiTPipeline, DiTTransformer2DModel

    model = DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        sample_size=8,
        patch_size=2,
        num_embeds_ada_norm=1000,
    )
    return DiTPipeline(model, kl(), DDPMScheduler())


def pixart() -> Any:
    from diffusers import DDIMScheduler, PixArtAlphaPipeline, PixArtTransformer2DModel

    encoder, words = t5()
    model = PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        sample_size=8,
        patch_size=2,
        cross_attention_dim=16,
        caption_channels=16,
        use_additional_conditions=False,
    )
    return PixArtAlphaPipeline(words, encoder, kl(), model, DDIMScheduler())


def sana() -> Any:
    from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, SanaPipeline, SanaTransformer2DModel
    from transformers import Gemma2Config, Gemma2Model

    words = tokenizer()
    encoder = Gemma2Model(
        Gemma2Config(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
        )
    )
    vae = AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
    )
    model = SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_layers=1,
        num_attention_heads=2,
        attention_head_dim=4,
        num_cross_attention_heads=2,
        cross_attention_head_dim=4,
        cross_attention_dim=8,
        caption_channels=16,
        sample_size=32,
        patch_size=1,
    )
    return SanaPipeline(words, encoder, vae, model, FlowMatchEulerDiscreteScheduler(shift=7.0))


def ddpm() -> Any:
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    model = UNet2DModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
    )
    return DDPMPipeline(model, DDPMScheduler())


def upscaler() -> Any:
    from diffusers import DDIMScheduler, DDPMScheduler, StableDiffusionUpscalePipeline

    encoder, words = clip()
    vae = kl(4, block_out_channels=(8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 3,
             up_block_types=("UpDecoderBlock2D",) * 3)  # fmt: skip
    model = unet(in_channels=7, num_class_embeds=1000)
    vae.register_to_config(scaling_factor=0.08333)
    return StableDiffusionUpscalePipeline(
        vae, encoder, words, model, DDPMScheduler(), DDIMScheduler(clip_sample=False), max_noise_level=350
    )


def ltx() -> Any:
    from diffusers import (
        AutoencoderKLLTXVideo,
        FlowMatchEulerDiscreteScheduler,
        LTXPipeline,
        LTXVideoTransformer3DModel,
    )

    encoder, words = t5()
    vae = AutoencoderKLLTXVideo(
        in_channels=3,
        out_channels=3,
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    model = LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=16,
    )
    return LTXPipeline(FlowMatchEulerDiscreteScheduler(), vae, encoder, words, model)


def wan() -> Any:
    from diffusers import (
        AutoencoderKLWan,
        FlowMatchEulerDiscreteScheduler,
        WanPipeline,
        WanTransformer3DModel,
    )

    encoder, words = t5()
    vae = AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    model = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=16,
        out_channels=16,
        text_dim=16,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
    )
    return WanPipeline(words, encoder, vae, FlowMatchEulerDiscreteScheduler(), model)


def cogvideox(image: bool = False) -> Any:
    from diffusers import (
        AutoencoderKLCogVideoX,
        CogVideoXImageToVideoPipeline,
        CogVideoXPipeline,
        CogVideoXTransformer3DModel,
        DDIMScheduler,
    )

    encoder, words = t5()
    vae = AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    model = CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=8 if image else 4,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=16,
        num_layers=1,
        sample_width=8,
        sample_height=8,
        sample_frames=9,
        patch_size=2,
        temporal_compression_ratio=4,
        max_text_seq_length=226,
        use_rotary_positional_embeddings=image,
        use_learned_positional_embeddings=image,
    )
    kind = CogVideoXImageToVideoPipeline if image else CogVideoXPipeline
    return kind(words, encoder, vae, model, DDIMScheduler())


def animatediff() -> Any:
    from diffusers import AnimateDiffPipeline, DDIMScheduler, MotionAdapter

    encoder, words = clip()
    motion = MotionAdapter(
        block_out_channels=(8, 16),
        motion_layers_per_block=1,
        motion_norm_num_groups=2,
        motion_num_attention_heads=2,
        motion_max_seq_length=8,
    )
    return AnimateDiffPipeline(
        kl(), encoder, words, unet(), motion, DDIMScheduler(beta_schedule="linear", clip_sample=False)
    )


PICTURES: dict[str, Callable[[], Any]] = {
    "StableDiffusion": stable_diffusion,
    "StableDiffusionXL": stable_diffusion_xl,
    "StableDiffusion3": stable_diffusion_3,
    "Flux": flux,
    "DiT": dit,
    "PixArt": pixart,
    "Sana": sana,
    "DDPM": ddpm,
}
CLIPS: dict[str, Callable[[], Any]] = {
    "LTX": ltx,
    "Wan": wan,
    "CogVideoX": cogvideox,
    "AnimateDiff": animatediff,
}
OTHERS: dict[str, Callable[[], Any]] = {
    "Medium": medium_diffusion,
    "Upscaler": upscaler,
    "CogVideoXImage": lambda: cogvideox(image=True),
}


def build(kind: str, folder: Path) -> Path:
    """Write a random pipeline into `folder`; the same weights each time."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(5)
        pipe = (PICTURES | CLIPS | OTHERS)[kind]()
    pipe.save_pretrained(folder)
    if kind == "DiT":
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps(index | {"id2label": LABELS}))
    return folder


def open_runner(folder: Path, dtype: str = "float32") -> DiffusionRunner:
    runner = DiffusionRunner(inspect(folder), Placement("cpu", dtype))
    runner.load()
    return runner


def drawn(runner: DiffusionRunner, request: Request) -> list[Event]:
    return list(runner.run(request, Flag()))


def draw(prompt: str = "goldfish", **options: Any) -> Request:
    """Ask for a picture, in two steps unless told otherwise."""
    how = PictureOptions(**{"steps": 2, "seed": 3} | options)
    return Request(task=Task.TEXT_TO_IMAGE, model="tiny@1", prompt=prompt, options=how)


def edit(picture: Path, mask: Path | None = None, prompt: str = "goldfish", **options: Any) -> Request:
    """Ask for a change of a picture, or of the part of it that is white in a mask."""
    files = [medium(picture), *([medium(mask)] if mask else [])]
    how = EditOptions(**{"steps": 3, "seed": 3, "mask": files[1].url if mask else None} | options)
    return Request(task=Task.IMAGE_TO_IMAGE, model="tiny@1", prompt=prompt, media=tuple(files), options=how)


def film(picture: Path | None = None, prompt: str = "goldfish", **options: Any) -> Request:
    """Ask for a clip, that begins with a picture where there is one."""
    task = Task.IMAGE_TO_VIDEO if picture else Task.TEXT_TO_VIDEO
    files = (medium(picture),) if picture else ()
    how = ClipOptions(**{"steps": 2, "seed": 3} | options)
    return Request(task=task, model="tiny@1", prompt=prompt, media=files, options=how)


def medium(path: Path) -> Media:
    id = sha256(path.read_bytes()).hexdigest()
    return Media(kind="image", id=id, media_type="image/png", size=path.stat().st_size, path=path)


def results(events: list[Event]) -> list[ImageReady]:
    return [event for event in events if isinstance(event, ImageReady) and event.role == "result"]


def pixels(event: Event) -> NDArray[np.uint8]:
    """(height, width, 3)."""
    assert isinstance(event, ImageReady)
    return np.asarray(open_image(event.image.data))


def in_turn(runs: list[Iterator[Event]]) -> list[list[Event]]:
    """Step several runs in turn, as the inference thread does."""
    logs: list[list[Event]] = [[] for _ in runs]
    going = list(zip(runs, logs, strict=True))
    while going:
        for pair in list(going):
            if (event := next(pair[0], None)) is None:
                going.remove(pair)
            else:
                pair[1].append(event)
    return logs
