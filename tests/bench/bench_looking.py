"""Chats about pictures: what a next turn costs, and many who ask at once, beside one text after the other.

`python -m tests.bench.bench_looking`. A random model of the shape of SmolVLM-256M (a tower of 93 million
parameters, a language half of 135), in bfloat16 on one thread, as speed does not depend on training.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from threading import Event as Flag
from typing import Any

from inference_chat.events import Event, Result
from inference_chat.runners.batching import Rows
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.diffusion import pieces
from inference_chat.runners.looked import ENCODERS
from inference_chat.runners.multimodal import MultimodalRunner
from inference_chat.runners.prepared import PreparedSteps
from inference_chat.runners.prompt import Prompt
from inference_chat.schema import Media, Message, Request
from inference_chat.tasks import Task
from tests.runners.models import taking_turns
from tests.runners.tiny_media import TEMPLATE, conversation, ends, llama, picture, save, says, tokenizer

from .bench_turns import first_token
from .random_llama import seconds
from .report import section

ROUNDS = 3
TURNS = 6
ASKERS = 8
WRITTEN = 32
SIDE = 512
SEEN = 64
"""Tokens that a picture becomes."""


class Alone(MultimodalRunner):
    """Each text by itself, and every picture looked at again in every turn, in one step."""

    def _load(self) -> None:
        super()._load()
        self._batch = None
        for part in (self._model, self._model.base_model):
            for name in ENCODERS:
                vars(part).pop(name, None)

    def _prepared(self, prompt: Prompt) -> tuple[PreparedSteps, Rows | None]:
        before, pieces.PIECE_SECONDS = pieces.PIECE_SECONDS, float("inf")
        try:
            return super()._prepared(prompt)
        finally:
            pieces.PIECE_SECONDS = before


def build(folder: Path) -> Path:
    import torch
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
    )

    words = tokenizer("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    text = llama(words, 8192) | {
        "vocab_size": 49280,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "initializer_range": 0.02,
        "eos_token_id": None,
    }
    tower = {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "image_size": SIDE,
        "patch_size": 16,
    }
    image = words.convert_tokens_to_ids("<image>")
    config = Idefics3Config(
        vision_config=tower, text_config=text, scale_factor=4, image_token_id=image, **ends(words)
    )
    size = {"longest_edge": SIDE}
    eyes = Idefics3ImageProcessorPil(size=size, max_image_size=size, do_image_splitting=False)
    processor = Idefics3Processor(eyes, words, image_seq_len=SEEN, chat_template=TEMPLATE)

    def made(config: Any) -> Any:
        model: Any = Idefics3ForConditionalGeneration(config)
        return model.to(torch.bfloat16)

    return save(made, config, processor, folder)


def asked(picture: Media, *turns: Message, written: int = 1) -> Request:
    return conversation(
        Task.ANY_TO_ANY,
        says("user", picture, "what is in there?"),
        *turns,
        media=(picture,),
        max_tokens=written,
    )


def chat(runner: MultimodalRunner, shown: Media) -> list[float]:
    """Seconds until the first token of each turn of a conversation about one picture."""
    turns: list[Message] = []
    times = []
    for number in range(TURNS):
        times.append(first_token(runner, asked(shown, *turns))[0][0])
        turns += [says("assistant", "a thing"), says("user", f"and what else is there, at place {number}?")]
    return times


def together(runner: MultimodalRunner, shown: list[Media]) -> None:
    """As many answers as there are pictures, their requests taking turns."""
    runs = [runner.run(asked(one, written=WRITTEN), Flag()) for one in shown]
    logs: list[list[Event]] = taking_turns(runs)
    for log in logs:
        assert Result.of(log).finished.usage.completion_tokens == WRITTEN


def longest_gap(runner: MultimodalRunner, before: Media, shown: Media) -> float:
    """The longest time between two tokens of an answer while somebody else's picture is looked at."""
    writer, looker = runner.run(asked(before, written=400), Flag()), runner.run(asked(shown), Flag())
    while getattr(next(writer), "phase", "") != "answering":  # few of its tokens have a text
        pass
    last, longest = time.perf_counter(), 0.0
    for _ in looker:
        next(writer)
        now = time.perf_counter()
        last, longest = now, max(longest, now - last)
    writer.close()  # type: ignore[attr-defined]
    return longest


def measure(place: Path, rounds: int) -> str:
    import torch

    torch.set_num_threads(1)
    folder = build(place / "model")
    kinds = {"alone": Alone, "beside": MultimodalRunner}
    runners = {}
    for name, kind in kinds.items():
        runners[name] = kind(inspect(folder), Placement("cpu", "bfloat16", "auto"))
        runners[name].load()
    turns: dict[str, list[list[float]]] = {name: [] for name in kinds}
    many: dict[str, list[float]] = {name: [] for name in kinds}
    gaps: dict[str, list[float]] = {name: [] for name in kinds}
    size = (SIDE, SIDE)
    for number in range(rounds + 1):
        shown = [picture(place, 100 * number + one, size) for one in range(ASKERS + 2)]
        for name, runner in runners.items():
            turns[name].append(chat(runner, shown[-1]))
            gaps[name].append(longest_gap(runner, shown[-1], shown[-2]))
            many[name].append(seconds(lambda r=runner, given=shown[:ASKERS]: together(r, given)))  # type: ignore[misc]
    first, last = (
        {name: statistics.median(one[turn] for one in found[1:]) for name, found in turns.items()}
        for turn in (0, -1)
    )
    whole = {name: statistics.median(found[1:]) for name, found in many.items()}
    gap = {name: statistics.median(found[1:]) for name, found in gaps.items()}
    more = statistics.median(a / b for a, b in zip(many["alone"][1:], many["beside"][1:], strict=True))
    later = statistics.median(
        a[-1] / b[-1] for a, b in zip(turns["alone"][1:], turns["beside"][1:], strict=True)
    )
    return (
        "A random model of the shape of SmolVLM-256M in bfloat16, 1 thread (`tests/bench/bench_looking.py`); "
        f"medians of {rounds} rounds in turns.\n\n"
        "| | each text alone | in the batch |\n|---|---|---|\n"
        f"| first token of turn 1 about a picture | {first['alone']:.2f} s | {first['beside']:.2f} s |\n"
        f"| of turn {TURNS} | {last['alone']:.2f} s | {last['beside']:.2f} s ({later:.0f} ×) |\n"
        f"| {ASKERS} pictures asked about at once, {WRITTEN} tokens each | {whole['alone']:.1f} s | "
        f"{whole['beside']:.1f} s ({more:.2f} ×) |\n"
        "| longest time between two tokens of a text while a picture is looked at | "
        f"{gap['alone']:.2f} s | {gap['beside']:.2f} s |"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", default=ROUNDS, type=int)
    with tempfile.TemporaryDirectory() as name:
        section("Chats about pictures", measure(Path(name), parser.parse_args().rounds))


if __name__ == "__main__":
    main()
