"""Tiny random models of pictures, of every architecture family, written in Hugging Face layout.

`build(name, folder)` takes well under a second. Weights are large enough that answers vary.
"""

import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

Settings = dict[str, Any]
LABELS = {0: "red square", 1: "green circle", 2: "blue triangle", 3: "cat"}
NAMES: Settings = {"id2label": LABELS, "label2id": {name: i for i, name in LABELS.items()}}
BLOCKS: Settings = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
PATCHES: Settings = BLOCKS | {"image_size": 32, "patch_size": 8}
STAGES: Settings = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32]}
SWIN: Settings = {
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 8,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 2, 2, 4],
}
SWIN |= {"window_size": 2}
SMALL: Settings = {"height": 32, "width": 32}
LARGE: Settings = {"height": 64, "width": 64}
EDGE: Settings = {"shortest_edge": 64, "longest_edge": 96}
BACKBONE: Settings = STAGES | {
    "embedding_size": 8,
    "layer_type": "basic",
    "out_features": ["stage2", "stage3", "stage4"],
}
DETR: Settings = {
    "use_timm_backbone": False,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 8,
    "decoder_attention_heads": 8,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "num_queries": 8,
}
RT_DETR: Settings = DETR | {
    "encoder_hidden_dim": 32,
    "encoder_in_channels": [16, 24, 32],
    "decoder_in_channels": [32, 32, 32],
    "num_feature_levels": 3,
    "decoder_n_points": 2,
    "freeze_backbone_batch_norms": False,
    "num_denoising": 0,
}
TEXT: Settings = BLOCKS | {"vocab_size": 300, "max_position_embeddings": 40}
TEXT |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
BERT: Settings = TEXT | {"max_position_embeddings": 64, "model_type": "bert"}
MASKS: Settings = {
    "feature_size": 32,
    "mask_feature_size": 32,
    "hidden_dim": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
}
MASKS |= {"num_queries": 6, "num_attention_heads": 2, "dim_feedforward": 24, "encoder_feedforward_dim": 24}
Recipe = tuple[str, Settings, str, Settings]


def swin(kind: str) -> Any:
    import transformers

    return getattr(transformers, kind)(**SWIN, out_features=[f"stage{at}" for at in range(1, 5)])


def resnet(kind: str, **changes: Any) -> Any:
    import transformers

    return getattr(transformers, kind)(**BACKBONE | changes)


CLASSIFIERS: dict[str, Recipe] = {
    "ViTForImageClassification": ("ViT", PATCHES, "ViT", {"size": SMALL}),
    "DeiTForImageClassification": ("DeiT", PATCHES, "DeiT", {"size": SMALL, "crop_size": SMALL}),
    "DeiTForImageClassificationWithTeacher": ("DeiT", PATCHES, "DeiT", {"size": SMALL, "crop_size": SMALL}),
    "ConvNextForImageClassification": ("ConvNext", STAGES, "ConvNext", {"size": {"shortest_edge": 64}}),
    "SwinForImageClassification": ("Swin", SWIN, "ViT", {"size": LARGE}),
    "ResNetForImageClassification": (
        "ResNet",
        STAGES | {"embedding_size": 8},
        "ConvNext",
        {"size": {"shortest_edge": 64}},
    ),
    "Dinov2ForImageClassification": (
        "Dinov2",
        PATCHES,
        "Bit",
        {"size": {"shortest_edge": 40}, "crop_size": SMALL},
    ),
    "MobileNetV1ForImageClassification": (
        "MobileNetV1",
        {"depth_multiplier": 0.25, "min_depth": 4, "image_size": 64},
        "MobileNetV1",
        {"size": {"shortest_edge": 72}, "crop_size": LARGE},
    ),
}
"""Architecture → its config's class and settings, its image processor's class and settings."""

ENCODERS: dict[str, Recipe] = {
    "Dinov2Model": CLASSIFIERS["Dinov2ForImageClassification"],
    "ViTModel": CLASSIFIERS["ViTForImageClassification"],
    "ConvNextModel": CLASSIFIERS["ConvNextForImageClassification"],
    "ResNetModel": CLASSIFIERS["ResNetForImageClassification"],
}

DETECTORS: dict[str, Recipe] = {
    "DetrForObjectDetection": ("Detr", DETR | {"backbone": "ResNetConfig"}, "Detr", {"size": EDGE}),
    "ConditionalDetrForObjectDetection": (
        "ConditionalDetr",
        DETR | {"backbone": "ResNetConfig"},
        "ConditionalDetr",
        {"size": EDGE},
    ),
    "YolosForObjectDetection": (
        "Yolos",
        BLOCKS | {"image_size": [64, 96], "patch_size": 16, "num_detection_tokens": 8},
        "Yolos",
        {"size": EDGE},
    ),
    "RTDetrForObjectDetection": (
        "RTDetr",
        RT_DETR | {"backbone": "RTDetrResNetConfig"},
        "RTDetr",
        {"size": LARGE},
    ),
    "DFineForObjectDetection": (
        "DFine",
        RT_DETR | {"backbone": "RTDetrResNetConfig", "decoder_n_points": [2, 2, 2]},
        "RTDetr",
        {"size": LARGE},
    ),
}

SEEKERS: dict[str, Recipe] = {
    "Owlv2ForObjectDetection": ("Owlv2", {}, "Owlv2", {"size": {"height": 48, "width": 48}}),
    "OwlViTForObjectDetection": (
        "OwlViT",
        {},
        "OwlViT",
        {"size": {"height": 48, "width": 48}, "do_center_crop": False},
    ),
    "GroundingDinoForObjectDetection": ("GroundingDino", {}, "GroundingDino", {"size": EDGE}),
}
"""Zero-shot detectors; their processor has a tokenizer besides."""

DUAL: dict[str, Recipe] = {
    "CLIPModel": ("CLIP", {}, "CLIP", {"size": {"shortest_edge": 32}, "crop_size": SMALL}),
    "SiglipModel": ("Siglip", {}, "Siglip", {"size": SMALL}),
}

SEGMENTERS: dict[str, Recipe] = {
    "SegformerForSemanticSegmentation": (
        "Segformer",
        {
            "depths": [1, 1, 1, 1],
            "hidden_sizes": [8, 8, 16, 16],
            "num_attention_heads": [1, 1, 2, 2],
            "decoder_hidden_size": 16,
        },
        "Segformer",
        {"size": LARGE},
    ),
    "Mask2FormerForUniversalSegmentation": (
        "Mask2Former",
        MASKS | {"backbone": "SwinConfig"},
        "Mask2Former",
        {"size": LARGE, "num_labels": 4},
    ),
    "MaskFormerForInstanceSegmentation": (
        "MaskFormer",
        {"backbone": "SwinConfig", "fpn_feature_size": 32, "mask_feature_size": 32},
        "MaskFormer",
        {"size": LARGE, "num_labels": 4},
    ),
    "DetrForSegmentation": ("Detr", DETR | {"backbone": "ResNetConfig"}, "Detr", {"size": EDGE}),
}

DEPTHS: dict[str, Recipe] = {
    "DPTForDepthEstimation": (
        "DPT",
        PATCHES
        | {
            "num_hidden_layers": 4,
            "backbone_out_indices": [0, 1, 2, 3],
            "neck_hidden_sizes": [8, 8, 16, 16],
            "fusion_hidden_size": 8,
            "readout_type": "project",
        },
        "DPT",
        {"size": SMALL},
    ),
    "DepthAnythingForDepthEstimation": (
        "DepthAnything",
        {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 8, "head_hidden_size": 8},
        "DPT",
        {"size": {"height": 56, "width": 56}, "ensure_multiple_of": 14, "keep_aspect_ratio": True},
    ),
    "GLPNForDepthEstimation": (
        "GLPN",
        {
            "depths": [1, 1, 1, 1],
            "hidden_sizes": [8, 8, 16, 16],
            "num_attention_heads": [1, 1, 2, 2],
            "decoder_hidden_size": 8,
        },
        "GLPN",
        {"size_divisor": 32},
    ),
}
EVERY = CLASSIFIERS | ENCODERS | DETECTORS | SEEKERS | DUAL | SEGMENTERS | DEPTHS
OTHERS = ("SamModel", "ViltForQuestionAnswering")


def build(architecture: str, folder: Path, **changes: Any) -> Path:
    """Write a random model of an architecture into `folder` and return it."""
    import transformers

    if architecture == "SamModel":
        return _sam(folder)
    if architecture == "Sam2VideoModel":
        return _sam2(folder)
    if architecture == "ViltForQuestionAnswering":
        return _vilt(folder)
    config, settings, processor, prepared = EVERY[architecture]
    given = _settings(architecture, config, dict(settings)) | changes
    scattered(architecture, getattr(transformers, f"{config}Config")(**NAMES | given)).save_pretrained(folder)
    reader = getattr(transformers, f"{processor}ImageProcessorPil")(**prepared)
    if architecture in SEEKERS | DUAL:
        reader = getattr(transformers, f"{processor}Processor")(reader, tokenizer(config))
    reader.save_pretrained(folder)
    return folder


def scattered(architecture: str, config: Any) -> Any:
    """A random model, whose weights are large enough that different pictures get different answers."""
    import torch
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = getattr(transformers, architecture)(config)
        for name, tensor in model.named_parameters():
            if tensor.ndim > 1:
                torch.nn.init.normal_(tensor, std=1.5 / max(1, tensor[0].numel()) ** 0.5)
            elif name.endswith("bias"):
                torch.nn.init.normal_(tensor, std=0.1)
    return model.eval()


def tokenizer(config: str = "CLIP") -> Any:
    """A tokenizer of letters; for BERT's relatives one of words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import BertTokenizer, PreTrainedTokenizerFast

    letters = [chr(code) for code in range(97, 123)]
    if config in ("GroundingDino", "Vilt"):
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "cat", "dog", "a", "red", "remote"]
        words += [*letters, *(f"##{letter}" for letter in letters)]
        vocabulary = {word: at for at, word in enumerate(dict.fromkeys(words))}
        return BertTokenizer(vocab=vocabulary, model_max_length=64)
    words = ["<pad>", "<end>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    inner = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", model_max_length=40
    )


def scene(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """A picture with two shapes; another `seed`, other places and colours."""
    picture = Image.new("RGB", (width, height), (240, 230 - 40 * (seed % 5), 200))
    draw = ImageDraw.Draw(picture)
    left = width // 8 + 7 * seed % (width // 2)
    draw.rectangle((left, height // 4, left + width // 4, height * 3 // 4), (200, 30 + 20 * seed % 200, 40))
    draw.ellipse((width // 2, height // 8, width * 7 // 8, height * 5 // 8), (30, 160, 40 * (seed % 6)))
    return picture


def _settings(architecture: str, config: str, settings: Settings) -> Settings:
    """What a config holds of other configs."""
    import transformers

    backbone = settings.pop("backbone", "")
    if backbone:
        settings["backbone_config"] = swin(backbone) if "Swin" in backbone else resnet(backbone)
    if config == "MaskFormer":
        small = {key: value for key, value in DETR.items() if key != "use_timm_backbone"}
        settings["decoder_config"] = transformers.DetrConfig(**small)
    if config == "DepthAnything":
        stages = [f"stage{at}" for at in range(1, 5)]
        blocks = PATCHES | {"num_hidden_layers": 4, "patch_size": 14, "image_size": 56}
        blocks |= {"out_features": stages, "reshape_hidden_states": False}
        settings["backbone_config"] = transformers.Dinov2Config(**blocks)
        settings |= {"reassemble_hidden_size": 32, "patch_size": 14}
    if architecture in SEEKERS | DUAL:
        settings |= _towers(config)
    return settings


def _towers(config: str) -> Settings:
    """The two halves of a model that reads both pictures and texts."""
    import transformers

    if config == "GroundingDino":
        sizes: Settings = {
            "text_config": BERT,
            "max_text_len": 32,
            "two_stage": True,
            "embedding_init_target": True,
        }
        few = {key: value for key, value in DETR.items() if key != "use_timm_backbone"}
        stages: Settings = {"out_features": ["stage2", "stage3", "stage4"]}
        backbone = transformers.SwinConfig(**SWIN, **stages)
        return few | sizes | {"backbone_config": backbone, "num_feature_levels": 4}
    side = 48 if config.startswith("Owl") else 32
    return {"text_config": TEXT, "vision_config": PATCHES | {"image_size": side}, "projection_dim": 32}


def _sam(folder: Path) -> Path:
    import transformers

    vision = PATCHES | {"image_size": 64, "patch_size": 8, "output_channels": 16, "mlp_dim": 32}
    vision |= {"global_attn_indexes": [1], "window_size": 4, "num_pos_feats": 8}
    prompt: Settings = {"hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4}
    prompt["image_embedding_size"] = 8
    decoder: Settings = {"hidden_size": 16, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    decoder |= {"iou_head_hidden_dim": 16, "attention_downsample_rate": 1}
    config = transformers.SamConfig(
        vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder
    )
    scattered("SamModel", config).save_pretrained(folder)
    reader = transformers.SamImageProcessorPil(
        size={"longest_edge": 64}, pad_size=LARGE, mask_size={"longest_edge": 16}, mask_pad_size=SMALL
    )
    transformers.SamProcessor(reader).save_pretrained(folder)
    return folder


def _sam2(folder: Path) -> Path:
    """One with memory; 128 is the least width for which its memories and its pointers go together."""
    import transformers

    eye: Settings = {"image_size": [64, 64], "hidden_size": 8, "blocks_per_stage": [1, 1, 1, 1]}
    eye |= {"embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 1, 2, 2]}
    eye |= {"window_size_per_stage": [8, 4, 2, 2], "global_attention_blocks": []}
    eye |= {"window_positional_embedding_background_size": [2, 2]}
    vision = transformers.Sam2VisionConfig(
        backbone_config=transformers.Sam2HieraDetConfig(**eye),
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=128,
    )
    memory: Settings = {f"memory_{part}": 128 for part in ("attention_hidden_size", "encoder_hidden_size")}
    memory |= {"memory_fuser_embed_dim": 128, "mask_downsampler_embed_dim": 128, "memory_fuser_num_layers": 1}
    memory |= {"memory_attention_num_layers": 1, "memory_attention_feed_forward_hidden_size": 16}
    config = transformers.Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 128, "image_size": 64, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 128, "mlp_dim": 16, "num_attention_heads": 2},
        image_size=64,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_fuser_intermediate_dim=16,
        **memory,
    )
    model = scattered("Sam2VideoModel", config)
    model.mask_decoder.pred_obj_score_head.proj_out.bias.data.fill_(5)  # it takes everything for seen
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 64, "width": 64}}))
    return folder


def _vilt(folder: Path) -> Path:
    import transformers

    config = transformers.ViltConfig(**PATCHES, vocab_size=100, max_position_embeddings=64, **NAMES)
    scattered("ViltForQuestionAnswering", config).save_pretrained(folder)
    reader: Any = getattr(transformers, "ViltImageProcessorPil")(size={"shortest_edge": 32}, size_divisor=8)  # noqa: B009
    transformers.ViltProcessor(reader, tokenizer("Vilt")).save_pretrained(folder)
    return folder
