"""What lm-eval asks of `/v1/completions`, and that its scores are those of the model in its own process.

Requests and their reading are those of lm-eval 0.4.13 (`lm_eval/models/openai_completions.py`, the model
`local-completions`). Its packages do not fit beside ours (they hold python-dateutil below 3), so the program
itself runs in an environment of its own, laid over ours by `make lm-eval`.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_chat.service import Service
from tests.server import Server, serving, settings

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "model_cards" / "starter-chat"
LM_EVAL = ROOT / ".venv-lm-eval" / "bin" / "python"
FACTS = [
    ("What is two plus two?", ["four", "seven", "a house"], 0),
    ("Say hello.", ["Hello! How are you?", "Blue", "Nine"], 0),
    ("What colour is the sky?", ["green", "blue", "twelve"], 1),
    ("Which is an animal?", ["a table", "a dog", "a spoon"], 1),
]
TASK = """
task: small_facts
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "Q: {{{{question}}}}\\nA:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "models").mkdir()
    (folder / "models" / "starter-chat").symlink_to(STARTER)
    with serving(Service(settings(folder, folder / "models"))) as running:
        yield running


def pairs(tokenizer: Any) -> list[tuple[list[int], list[int]]]:
    """Context and continuation of each choice as tokens, in the way of lm-eval."""
    found = []
    for question, choices, _ in FACTS:
        context = f"Q: {question}\nA:"
        for choice in choices:
            whole = tokenizer(f"{context} {choice}")["input_ids"]
            cut = len(tokenizer(context)["input_ids"])
            found.append((whole[:cut], whole[cut:]))
    return found


def at_the_server(server: Server, asked: list[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
    """Scores as `local-completions` asks for and reads them."""
    body: dict[str, Any] = {"temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True}
    body |= {"model": "starter-chat", "prompt": [context + more for context, more in asked]}
    with server.http() as http:
        choices = http.post("/v1/completions", json=body).raise_for_status().json()["choices"]
    found = []
    for choice, (context, _) in zip(choices, asked, strict=True):
        values = choice["logprobs"]["token_logprobs"][len(context) : -1]
        tops = choice["logprobs"]["top_logprobs"][len(context) : -1]
        greedy = all(value == max(top.values()) for value, top in zip(values, tops, strict=True))
        found.append((sum(values), greedy))
    return found


def in_process(asked: list[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
    """The same by transformers, as lm-eval's own backend computes it."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(STARTER, dtype="float32")
    found = []
    for context, more in asked:
        with torch.inference_mode():
            logits = model(torch.tensor([context + more])).logits[0, len(context) - 1 : -1].log_softmax(-1)
        values = logits.gather(1, torch.tensor(more)[:, None])
        found.append((float(values.sum()), logits.argmax(-1).tolist() == more))
    return found


def test_scores_are_those_of_the_model_in_process(server: Server):
    from transformers import AutoTokenizer

    asked = pairs(AutoTokenizer.from_pretrained(STARTER))
    there = at_the_server(server, asked)  # first: transformers cannot load in two threads at once
    here = in_process(asked)
    assert [score for score, _ in there] == pytest.approx([score for score, _ in here], abs=2e-3)
    assert [greedy for _, greedy in there] == [greedy for _, greedy in here]


def scores(folder: Path, *model: str) -> tuple[float, list[float]]:
    """Accuracy and the log-likelihood of each choice, by lm-eval's own command."""
    out = folder / model[1]
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    command = [str(LM_EVAL), "-m", "lm_eval", *model, "--tasks", "small_facts", "--include_path", str(folder)]
    command += ["--output_path", str(out), "--log_samples"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    (results,) = out.rglob("results_*.json")
    (samples,) = out.rglob("samples_*.jsonl")
    rows = [json.loads(line)["filtered_resps"] for line in samples.read_text().splitlines()]
    accuracy = json.loads(results.read_text())["results"]["small_facts"]["acc,none"]
    return accuracy, [float(one[0]) for each in rows for one in each]


@pytest.mark.skipif(not LM_EVAL.exists(), reason="lm-eval is not installed: `make lm-eval` does it")
def test_lm_eval_itself(server: Server, tmp_path: Path):
    data = tmp_path / "facts.jsonl"
    rows = [{"question": q, "choices": choices, "answer": right} for q, choices, right in FACTS]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "facts.yaml").write_text(TASK.format(data=data))
    door = f"model=starter-chat,base_url={server.url}/v1/completions,tokenizer={STARTER}"
    accuracy, values = scores(
        tmp_path, "--model", "local-completions", "--model_args", door, "--batch_size", "4"
    )
    here = f"pretrained={STARTER},dtype=float32"
    wanted, expected = scores(tmp_path, "--model", "hf", "--model_args", here, "--device", "cpu")
    assert accuracy == wanted
    assert values == pytest.approx(expected, abs=2e-3)
