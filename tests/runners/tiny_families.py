"""A builder for each family that reads more than text: a folder, written as its makers write theirs."""

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
