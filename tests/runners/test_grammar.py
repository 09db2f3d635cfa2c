"""Answers that are kept to JSON, also those of a model that writes at random."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from inference_chat.errors import InvalidRequest
from inference_chat.runners.text import TextOptions, TextRunner
from tests import tiny

from .models import answer, events, open_runner, user

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "kind": {"enum": ["a", "b"]},
    },
    "required": ["name", "age", "kind"],
    "additionalProperties": False,
}


def schema(of: Any) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": of, "strict": True}}


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> TextRunner:
    return open_runner(tiny.build(tmp_path_factory.mktemp("models") / "tiny", window=1024))


@pytest.mark.parametrize("options", [{}, {"temperature": 1, "seed": 5, "n": 3}, {"top_k": 1, "logprobs": 2}])
def test_answers_fit_their_schema(runner: TextRunner, options: dict[str, Any]):
    how = {"max_tokens": 300, "response_format": schema(PERSON)} | options
    result = answer(runner, (user("Who?"),), **how)
    for text in result.texts:
        found = json.loads(text)
        assert list(found) == ["name", "age", "kind"]
        assert found["age"] in range(121)
    assert set(result.finished.finish_reasons) == {"stop"}
    assert all(
        "".join(one.text for one in row) == text
        for row, text in zip(result.tokens, result.texts, strict=True)
        if row
    )


def test_the_same_seed_gives_the_same_object(runner: TextRunner):
    how = {"response_format": {"type": "json_object"}, "temperature": 1, "seed": 2, "max_tokens": 60}
    first, second = (answer(runner, "Go", **how).text for _ in range(2))
    assert first == second
    assert first.startswith("{")


def test_an_answer_that_is_cut_off_says_so(runner: TextRunner):
    result = answer(runner, "Go", response_format=schema(PERSON), max_tokens=4)
    assert result.finished.finish_reason == "length"
    assert result.finished.usage.completion_tokens == 4


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"type": "string", "minLength": 9, "maxLength": 1}, "minLength"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"$ref": "#/$defs/none"}, "does not exist"),
        ({"type": "colour"}, "colour"),
    ],
)
def test_a_schema_that_cannot_be_kept_to_is_refused_at_once(wrong: Any, reason: str):
    with pytest.raises(ValidationError, match=reason):
        TextOptions(response_format=schema(wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "json_schema"},
        {"type": "xml"},
        {"type": "json_object", "json_schema": {"schema": {}}},
        {"type": "json_schema", "json_schema": {"schema": "{"}},
        {"type": "json_schema", "json_schema": {"schema": []}},
    ],
)
def test_formats_that_are_none_are_refused(wrong: Any):
    with pytest.raises(ValidationError):
        TextOptions(response_format=wrong)


def test_formats_are_values(runner: TextRunner):
    options = TextOptions(response_format=schema(PERSON))
    assert hash(options) == hash(TextOptions.model_validate(options.model_dump()))
    assert options.model_dump(mode="json")["response_format"]["json_schema"]["schema"] == PERSON


def test_a_tokenizer_without_an_end_is_refused_before_any_token(runner: TextRunner):
    runner.__dict__.pop("_grammars", None)
    ends, runner._ends = runner._ends, frozenset()
    try:
        with pytest.raises(InvalidRequest, match="ends an answer"):
            events(runner, "Go", response_format={"type": "json_object"})
    finally:
        runner._ends = ends
        runner.__dict__.pop("_grammars", None)
