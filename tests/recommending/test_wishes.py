"""Constraints in free words, and what is left of the words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.recommending.wishes import Constraints, read


@pytest.mark.parametrize(
    ("request_", "field", "value"),
    [
        ("count parts on a conveyor, under 100 ms", "max_latency_ms", 100),
        ("find cats within 0.5 seconds", "max_latency_ms", 500),
        ("a 40ms detector", "max_latency_ms", 40),
        ("answers in less than 2 minutes", "max_latency_ms", 120_000),
        ("less than 500 MB please", "max_memory_mb", 500),
        ("must fit in 2 GB of RAM", "max_memory_mb", 2048),
        ("I have a 1,5 gb laptop", "max_memory_mb", 1536),
        ("at most 1,024 MiB", "max_memory_mb", 1024),
        ("Apache 2.0 only", "license", "apache-2.0"),
        ("an MIT licensed chat model", "license", "mit"),
        ("draw pictures for commercial use", "license", "permissive"),
    ],
)
def test_a_constraint_is_read(request_: str, field: str, value: object):
    found, rest = read(request_)
    assert found.model_dump(exclude_none=True) == {field: value}
    assert rest


@pytest.mark.parametrize(
    "request_",
    [
        "describe clips under 10 seconds",
        "transcribe recordings of less than 2 minutes",
        "summarise documents below 3 MB",
        "a photo from MIT in Boston",
        "find 3 cats in 2 pictures",
        "",
    ],
)
def test_what_is_said_of_the_input_is_no_constraint(request_: str):
    assert read(request_)[0] == Constraints()


def test_several_at_once_leave_the_wish_itself():
    found, rest = read("I need to count parts, under 100 ms, in less than 1 GB, Apache-licensed")
    assert found == Constraints(max_latency_ms=100, max_memory_mb=1024, license="apache-2.0")
    assert rest == "I need to count parts"


@given(st.text(max_size=200))
def test_any_text_is_read(text: str):
    found, _ = read(text)
    assert found.max_latency_ms is None or found.max_latency_ms > 0


@pytest.mark.parametrize(
    ("wanted", "license_", "fits"),
    [
        ("apache-2.0", "apache-2.0", True),
        ("apache-2.0", "mit", False),
        ("mit", None, False),
        ("permissive", "bsd-3-clause", True),
        ("permissive", "gpl-3.0", False),
        ("gpl", "gpl-3.0", True),
        (None, None, True),
    ],
)
def test_licences(wanted: str | None, license_: str | None, fits: bool):
    assert Constraints(license=wanted).allows(license_) is fits
