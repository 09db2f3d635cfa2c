"""How long the registry takes with many models: `python -m tests.bench.bench_registry [models]`."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from inference_chat.registry.registry import ModelRecord, Registry

from .report import section

WORDS = ["tiny", "small", "base", "large", "chat", "instruct", "vision"]
WORDS += ["speech", "code", "math", "story", "french", "swift", "robust"]
TASKS = ["text-generation", "image-classification", "object-detection", "translation", "summarization"]


def record(number: int) -> ModelRecord:
    word, other, task = WORDS[number % 14], WORDS[number // 14 % 14], TASKS[number % 5]
    return ModelRecord(
        name=f"{word}-{other}-{number // 2}",
        version=f"1.{number % 2}.0",
        description=f"A {word} model for {other} {task.replace('-', ' ')}, trained on corpus {number % 97}.",
        tags=(word, other, f"corpus-{number % 97}"),
        tasks=(task,),
        capabilities=("".join(part.title() for part in task.split("-")),),
        memory_estimate=number * 10_000,
    )


def timed(action: Callable[[], object], runs: int = 15) -> tuple[float, float]:
    """Median and worst duration in milliseconds."""
    durations = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        durations.append((time.perf_counter() - start) * 1000)
    return statistics.median(durations), max(durations)


def main(models: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.json"
        registry = Registry(path)
        registry.put_all(record(number) for number in range(models))
        numbers = iter(range(models, models + 1000))
        actions: dict[str, Callable[[], object]] = {
            "open": lambda: Registry(path),
            "add": lambda: registry.add(record(next(numbers))),
            "get a bare name": lambda: registry.get("tiny-tiny-0"),
            "list": lambda: registry.list(),
            "list by task and size": lambda: registry.list(task="translation", sort="-memory_estimate"),
            "list page 90 by time": lambda: registry.list(sort="created_at", offset=9000),
            "search nothing": lambda: registry.search(""),
            "search one name": lambda: registry.search("tiny-small-7"),
            "search a word of all": lambda: registry.search("model"),
            "search three words": lambda: registry.search("chat translation corpus"),
            "search mistyped": lambda: registry.search("transaltion frensh"),
            "search for no one": lambda: registry.search("zzzzzz"),
            "search within memory": lambda: registry.search("code", max_memory_bytes=10**7),
        }
        rows = []
        for name, action in actions.items():
            first, _ = timed(action, 1)
            median, worst = timed(action)
            rows.append(f"| {name} | {first:.1f} | {median:.1f} | {worst:.1f} |")
    head = f"{models:,} models; milliseconds.\n\n| | first | median of 15 | worst |\n|---|---|---|---|\n"
    section("Registry", head + "\n".join(rows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
