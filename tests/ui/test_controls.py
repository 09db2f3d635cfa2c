"""Controls drawn from a class of options."""

from typing import Any, Literal

import pytest
from pydantic import Field

from inference_chat.runners.text import TextOptions
from inference_chat.schema import Options
from inference_chat.ui.controls import controls


class Sample(Options):
    heat: float = Field(0.5, ge=0, le=2, description="How hot.")
    count: int = Field(3, ge=1, lt=10)
    big: int = Field(1, ge=0)
    seed: int | None = Field(None, ge=0, lt=2**63)
    style: Literal["plain", "grand"] = "plain"
    fast: bool = False
    stop: tuple[str, ...] = ()
    name: str = ""


def drawn(**defaults: Any) -> dict[str, dict[str, Any]]:
    return {control["name"]: control for control in controls(Sample, defaults)}


@pytest.mark.parametrize(
    ("name", "kind"),
    {
        "heat": "slider",
        "count": "slider",
        "big": "number",
        "seed": "number",
        "style": "choice",
        "fast": "checkbox",
        "stop": "list",
        "name": "text",
    }.items(),
)
def test_the_type_and_bounds_choose_the_kind(name: str, kind: str):
    assert drawn()[name]["kind"] == kind


def test_a_control_carries_what_the_field_says():
    heat = drawn()["heat"]
    assert (heat["label"], heat["info"], heat["min"], heat["max"]) == ("Heat", "How hot.", 0, 2)
    assert (heat["step"], heat["default"], heat["optional"]) == (0.01, 0.5, False)


def test_a_field_that_may_be_none_can_be_unset():
    assert [name for name, control in drawn().items() if control["optional"]] == ["seed"]


def test_the_models_own_defaults_come_first():
    assert drawn(heat=1.5)["heat"]["default"] == 1.5


def test_fields_can_be_left_out():
    assert "name" not in {c["name"] for c in controls(Sample, {}, frozenset({"name"}))}


def test_every_text_option_has_a_hint():
    assert all(control["info"] for control in controls(TextOptions, {}))


class Timed(Options):
    n: int = 1
    min_scene_s: float = 0.2


def test_a_label_has_its_unit_and_is_a_word():
    assert [control["label"] for control in controls(Timed, {})] == ["How many", "Min scene (s)"]
