"""What a pipeline can do, by its name alone."""

import pytest

from inference_chat.runners.diffusion import repaints


@pytest.mark.parametrize(
    ("name", "can"),
    [
        ("StableDiffusionPipeline", True),
        ("StableDiffusionInpaintPipeline", True),
        ("StableDiffusionUpscalePipeline", False),
        ("StableDiffusionLatentUpscalePipeline", False),
    ],
)
def test_a_mask_is_for_those_that_paint_parts_anew(name: str, can: bool):
    assert repaints({"_class_name": name}) is can
