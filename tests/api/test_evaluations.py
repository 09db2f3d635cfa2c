"""Evaluations, tokens and the dashboard's figures over the wire."""

import json
import time
from typing import Any

import httpx
from PIL import Image

from inference_chat.evaluating.evaluations import MOST_ROWS
from inference_chat.media import data_url, image_bytes

ROWS = [{"prompt": f"word {number}", "answer": "x"} for number in range(12)]
ASKED: dict[str, Any] = {"models": ["tiny-llama"], "task": "text-generation", "parameters": {"max_tokens": 3}}


def followed(http: httpx.Client, id: str) -> Any:
    for _ in range(600):
        shown = http.get(f"/evaluations/{id}").raise_for_status().json()
        if shown["state"] not in ("waiting", "running"):
            return shown
        time.sleep(0.05)
    raise AssertionError("it did not end")


def test_rows_in_the_body_are_evaluated(http: httpx.Client):
    begun = http.post("/models/evaluate", json=ASKED | {"rows": ROWS, "metric": "rouge_l"})
    assert begun.status_code == 202
    shown = followed(http, begun.json()["id"])
    result = shown["results"][0]
    assert (shown["measure"], shown["state"], result["rows"]) == ("rouge_l", "done", 12)
    assert http.get("/models/tiny-llama").json()["metrics"]["accuracy"] == result["score"]
    assert shown in http.get("/evaluations").json()["items"]
    assert http.delete(f"/evaluations/{shown['id']}").status_code == 204
    assert http.get(f"/evaluations/{shown['id']}").json()["code"] == "not_found"


def test_a_file_is_evaluated_stopped_and_resumed(http: httpx.Client):
    table = "prompt,answer\n" + "".join(f"word {number},x\n" for number in range(200))
    form: Any = {"data": {"request": json.dumps(ASKED)}, "files": {"file": ("../my set.csv", table)}}
    begun = http.post("/models/evaluate", **form).json()
    assert begun["set_name"] == "__my set.csv"
    stopped = http.post(f"/evaluations/{begun['id']}/cancel").json()
    assert stopped["state"] == "cancelled"
    assert http.post(f"/evaluations/{begun['id']}/resume").json()["state"] in ("waiting", "running")
    http.post(f"/evaluations/{begun['id']}/cancel").raise_for_status()


def test_what_cannot_be_evaluated_is_refused(http: httpx.Client):
    for body, said in (
        (ASKED, "name a built-in set"),
        (ASKED | {"rows": []}, "rows: a list of objects"),
        (ASKED | {"rows": [{"prompt": "x"}]}, "needs a column `label`"),
        (ASKED | {"set": "../../etc"}, "no set"),
        (ASKED | {"rows": ROWS, "limit": MOST_ROWS + 1}, "limit"),
        (ASKED | {"rows": ROWS, "models": []}, "models"),
    ):
        answer = http.post("/models/evaluate", json=body)
        assert answer.status_code == 422
        assert said in answer.json()["detail"]


def test_what_can_be_measured_is_listed(http: httpx.Client):
    told = http.get("/evaluations/sets").json()
    assert {one["name"] for one in told["sets"]} >= {"shapes", "shapes-boxes", "questions"}
    assert list(told["measures"]["automatic-speech-recognition"]) == ["wer", "cer", "exact_match"]


def test_a_text_is_split_into_the_models_tokens(http: httpx.Client):
    told = http.post("/models/tiny-llama/tokens", json={"text": "the one"}).json()
    assert told["count"] == len(told["tokens"])
    assert "".join(token["text"] for token in told["tokens"]) == "the one"
    assert http.post("/models/tiny-llama/tokens", json={"text": "x" * 20_001}).json()["code"] == "too_large"


def test_a_model_that_sees_nothing_shows_no_reasons(http: httpx.Client):
    dot = data_url(image_bytes(Image.new("RGB", (2, 2))), "image/png")
    answer = http.post("/models/tiny-llama/saliency", json={"image": dot})
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_task")


def test_figures_of_a_window_tell_what_happened(http: httpx.Client):
    http.post("/inference/text", json={"prompt": "the", "parameters": {"max_tokens": 2}}).raise_for_status()
    figures = http.get("/stats?window=hour").json()
    assert figures["totals"]["requests"] >= 1
    assert len(figures["series"]) == 12
    assert figures["failures"].keys() == {"kinds", "newest"}
    assert http.get("/stats?window=year").status_code == 422
