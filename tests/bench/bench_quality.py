"""What rounded weights cost starter-chat in right answers.

`python -m tests.bench.bench_quality`. The dialogues by which starter-chat is judged, as strangers type them,
the model's own answers in their history, greedy; through the engine with each layout of the weights. Its card
is told too.
"""

import re
import time
from pathlib import Path
from threading import Event as Flag
from typing import Any

from examples.train_starters.chat_eval.free import Played, free_dialogues, fresh_dialogues, play
from inference_chat.events import Result
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.text import TextOptions, TextRunner
from inference_chat.schema import Message, Request
from inference_chat.settings import Settings

from .report import section

FOLDER = Path(__file__).parents[2] / "model_cards" / "starter-chat"
TOLD, BEFORE = "Right of the", "Read the other figures as upper bounds."
"""How the card's paragraph begins, and the one behind it."""
LAYOUTS = {
    "float32": Placement("cpu", "float32", "none"),
    "float32, packed": Placement("cpu", "float32", "auto"),
    "bfloat16, packed": Placement("cpu", "bfloat16", "auto"),
    "int8": Placement("cpu", "bfloat16", "int8"),
    "int4": Placement("cpu", "bfloat16", "int4"),
}


class Talker:
    """Answers a conversation through a runner."""

    def __init__(self, runner: TextRunner) -> None:
        self._runner = runner

    def __call__(self, messages: list[dict[str, Any]]) -> str:
        said = tuple(Message(**message) for message in messages)
        options = TextOptions(temperature=0, max_tokens=200)
        request = Request(model="starter-chat", messages=said, options=options)
        return Result.of(self._runner.run(request, Flag())).text.strip()


def tell(card: Path, turns: int, shares: dict[str, float]) -> None:
    """Write into the card what was measured last."""
    told = "; ".join(f"{name} {share:.3f}" for name, share in shares.items())
    text = re.sub(rf"{TOLD}.*?\n\n", "", card.read_text(encoding="utf-8"), flags=re.DOTALL)
    before, mark, after = text.partition(BEFORE)
    assert mark, "the card has another form"
    line = f"{TOLD} {turns} turns of all these dialogues, answered by the engine with each layout:\n{told}\n"
    card.write_text(f"{before}{line}(`tests/bench/bench_quality.py`).\n\n{mark}{after}", encoding="utf-8")


def main() -> None:
    import torch

    torch.set_num_threads(Settings().cpu_threads)
    dialogues = (*free_dialogues(), *fresh_dialogues(), *fresh_dialogues("fresh"))
    rows: list[str] = []
    shares: dict[str, float] = {}
    exact: list[Played] = []
    for name, placement in LAYOUTS.items():
        runner = TextRunner(inspect(FOLDER), placement)
        runner.load()
        began = time.thread_time()
        played = play(Talker(runner), dialogues)
        spent = time.thread_time() - began
        exact = exact or played
        right = sum(one.right for one in played) / len(played)
        shares[name] = right
        other = sum(one.answer != plain.answer for one, plain in zip(played, exact, strict=True))
        error = 0.0 if runner._laid is None else runner._laid.error
        rows.append(f"| {name} | {right:.3f} | {other} | {error:.2%} | {spent:.0f} |")
        runner.unload()
    section(
        "What rounded weights cost",
        f"starter-chat, {len(exact)} turns of {len(dialogues)} dialogues as strangers type them, greedy, "
        "judged as in its card (`tests/bench/bench_quality.py`). The error is the mean one of a layer, as a "
        "share of its output's norm.\n\n"
        "| weights | turns right | answers unlike float32's | error | seconds of the processor |\n"
        "|---|---|---|---|---|\n" + "\n".join(rows),
    )
    tell(FOLDER / "README.md", len(exact), shares)


if __name__ == "__main__":
    main()
