"""`python -m examples.train_starters NAME [NAME …]` trains starters, or `all` of them, in turn."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from examples.train_starters.card import weights

Given = argparse.Namespace


def _chat(args: Given, out: Path) -> None:
    from examples.train_starters import chat

    if args.data is None:
        raise SystemExit("starter-chat learns from texts: name their folder with --data.")
    shared = {"work": args.work / "chat", "steps": args.steps, "seed": args.seed, "device": args.device}
    shared |= {"minutes": 90 if args.minutes is None else args.minutes, "start": args.start}
    chat.train(chat.Plan(data=args.data, out=out, threads=args.threads, **shared))


def _fitted(module: str, **starts: str) -> Callable[[Given, Path], None]:
    """A module with `plan` and `train`. `starts`: arguments of `train`, and whose folders they take."""

    def trained(args: Given, out: Path) -> None:
        trainer: Any = import_module(f"examples.train_starters.{module}")
        folders = {name: out.parent / f"starter-{other}" for name, other in starts.items()}
        if args.start is not None:
            folders["start"] = args.start
        there = {name: folder for name, folder in folders.items() if weights(folder)}
        trainer.train(trainer.plan(out, args.work / module, **_given(args)), **there)

    return trained


def _listener(args: Given, out: Path) -> None:
    from examples.train_starters import listener

    listener.train(listener.plan(out, args.work / "listener", **_given(args)), args.work / "speech")


def _given(args: Given) -> dict[str, Any]:
    """What a plan takes from the command line."""
    given = {name: getattr(args, name) for name in ("minutes", "steps", "seed", "device", "threads")}
    return {name: value for name, value in given.items() if value is not None}


# In the order in which `all` trains them: who begins as another comes after it.
STARTERS: Mapping[str, Callable[[Given, Path], None]] = {
    "detector": _fitted("detector"),
    "classifier": _fitted("classifier", start="detector"),
    "segmenter": _fitted("segmenter", start="detector"),
    "vision-chat": _fitted("vision_chat", detector="detector"),
    "video": _fitted("video"),
    "painter": _fitted("painter"),
    "animator": _fitted("animator", drawer="painter", watching="video"),
    "listener": _listener,
    "ears": _fitted("ears"),
    "reader": _fitted("reader"),
    "embedder": _fitted("embedder", reader="reader"),
    "chat": _chat,
}


def main(argv: list[str] | None = None) -> None:
    """Reads the command line and trains."""
    parser = argparse.ArgumentParser(prog="python -m examples.train_starters", description=__doc__)
    parser.add_argument(
        "starters", nargs="+", choices=[*STARTERS, "all"], metavar="NAME", help=" ".join(STARTERS)
    )
    parser.add_argument("--data", type=Path, help="folder with the training text, for chat only")
    parser.add_argument("--out", type=Path, default=Path("model_cards"), help="where starter-NAME is written")
    parser.add_argument("--work", type=Path, default=Path("build/train"), help="where checkpoints are kept")
    parser.add_argument(
        "--from", dest="start", type=Path, help="a model folder to begin as, where a starter can"
    )
    parser.add_argument("--minutes", type=float, help="training time of each, earlier starts included")
    parser.add_argument("--steps", type=int, help="train so many steps instead: same seed, same weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    chosen = [name for name in STARTERS if name in args.starters or "all" in args.starters]
    for name in chosen:
        STARTERS[name](args, args.out / f"starter-{name}")


if __name__ == "__main__":
    main()
