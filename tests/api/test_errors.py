import json
import math

import pytest

from inference_chat import errors
from inference_chat.api.errors import STATUS, error_response, problem_of
from inference_chat.errors import InferenceChatError

CONTRACT = {
    "bad_media": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "model_not_found": 404,
    "session_not_found": 404,
    "version_not_found": 404,
    "model_exists": 409,
    "model_busy": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "invalid_request": 422,
    "unsupported_task": 422,
    "unsafe_model": 422,
    "rate_limited": 429,
    "model_failed": 500,
    "overloaded": 503,
    "out_of_memory": 503,
    "timeout": 504,
}


def family(cls: type[InferenceChatError]) -> list[type[InferenceChatError]]:
    return [cls, *(below for child in cls.__subclasses__() for below in family(child))]


def test_no_error_is_unmapped():
    own = {cls for cls in family(InferenceChatError) if cls.__module__ == errors.__name__}
    assert own == STATUS.keys()


@pytest.mark.parametrize("code", CONTRACT)
def test_codes_have_the_promised_status(code: str):
    found = {status for cls, status in STATUS.items() if cls.code == code}
    assert found == {CONTRACT[code]}


@pytest.mark.parametrize("cls", STATUS, ids=lambda cls: cls.__name__)
def test_every_error_is_a_whole_problem(cls: type[InferenceChatError]):
    response = error_response(cls("Try the other one."))
    problem = json.loads(bytes(response.body))
    assert response.media_type == "application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "code"}
    assert (problem["status"], problem["detail"]) == (response.status_code, "Try the other one.")


def test_an_error_of_a_later_kind_has_the_status_of_its_parent():
    class StrangeModel(errors.ModelNotFound):
        code = "strange_model"

    assert problem_of(StrangeModel("?")).status == 404


@pytest.mark.parametrize(("seconds", "told"), [(0.2, 1), (7.1, 8)])
def test_retry_after_is_whole_seconds(seconds: float, told: int):
    header = error_response(errors.Overloaded("Later.", seconds)).headers["retry-after"]
    assert int(header) == told == max(1, math.ceil(seconds))


def test_a_missing_key_is_asked_for():
    assert error_response(errors.Unauthorized("Key?")).headers["www-authenticate"] == "Bearer"
