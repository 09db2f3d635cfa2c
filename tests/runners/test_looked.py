"""What was looked at before is known again, and forgotten when there is too much of it."""

from pathlib import Path
from typing import Any

import torch

from inference_chat.runners.looked import remember
from inference_chat.runners.multimodal import MultimodalRunner
from inference_chat.tasks import Task

from .chat_families import llava
from .tiny_media import conversation, open_runner, picture, result, says


class Eyes(torch.nn.Module):
    """Counts how often it looks; what it makes of a picture is a megabyte."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    @property
    def base_model(self) -> "Eyes":
        return self

    def get_image_features(self, pixel_values: Any, scale: float = 1.0, **_: Any) -> dict[str, Any]:
        self.looks += 1
        return {"pooler_output": [pixel_values.sum() * scale + torch.zeros(1 << 18)]}


def seen(eyes: Eyes, number: float, **how: Any) -> float:
    made = eyes.get_image_features(pixel_values=torch.full((2, 2), number), **how)
    return float(made["pooler_output"][0][0])


def test_the_same_picture_is_looked_at_once():
    eyes = Eyes()
    remember(eyes)
    assert [seen(eyes, 1), seen(eyes, 1), seen(eyes, 2), seen(eyes, 1)] == [4, 4, 8, 4]
    assert eyes.looks == 2


def test_other_settings_are_another_look():
    eyes = Eyes()
    remember(eyes)
    assert [seen(eyes, 1), seen(eyes, 1, scale=2.0), seen(eyes, 1, scale=2.0)] == [4, 8, 8]
    assert eyes.looks == 2


def test_the_one_unused_for_longest_is_forgotten():
    eyes = Eyes()
    remember(eyes, room=2 << 20)
    for number in (1, 2, 1, 3, 1, 2):
        seen(eyes, number)
    assert eyes.looks == 4  # the second was forgotten for the third


def test_what_takes_more_than_all_room_is_not_kept():
    eyes = Eyes()
    remember(eyes, room=1 << 10)
    assert [seen(eyes, 1), seen(eyes, 1)] == [4, 4]
    assert eyes.looks == 2


def test_what_a_caller_changes_is_not_what_is_kept():
    eyes = Eyes()
    remember(eyes)
    pixels = torch.ones((2, 2))
    eyes.get_image_features(pixel_values=pixels)["pooler_output"] = []
    assert seen(eyes, 1) == 4


def test_a_picture_of_an_earlier_turn_is_not_looked_at_again(tmp_path: Path):
    runner = open_runner(llava(tmp_path / "llava"))
    assert isinstance(runner, MultimodalRunner)
    looks: list[int] = []
    tower = runner._model.base_model.vision_tower
    tower.register_forward_pre_hook(lambda *_: looks.append(1))
    one, other = picture(tmp_path, 1), picture(tmp_path, 2)
    turns = (says("user", one, "and there?"), says("assistant", "-"), says("user", "and now?"))
    for asked in (turns[:1], turns):
        result(runner, conversation(Task.ANY_TO_ANY, *asked, media=(one,)))
    assert len(looks) == 1
    result(runner, conversation(Task.ANY_TO_ANY, says("user", other, "and there?"), media=(other,)))
    assert len(looks) == 2
