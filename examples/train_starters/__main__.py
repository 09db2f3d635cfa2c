"""`python -m examples.train_starters NAME --data DIR` trains one of our starters."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from examples.train_starters import chat


def _chat(args: argparse.Namespace) -> None:
    plan = chat.Plan(
        data=args.data,
        out=args.out or Path("model_cards/starter-chat"),
        work=args.work / "chat",
        minutes=args.minutes,
        steps=args.steps,
        seed=args.seed,
        device=args.device,
        threads=args.threads,
    )
    chat.train(plan)


STARTERS: dict[str, Callable[[argparse.Namespace], None]] = {"chat": _chat}


def main() -> None:
    """Reads the command line and trains."""
    parser = argparse.ArgumentParser(prog="python -m examples.train_starters", description=__doc__)
    parser.add_argument("starter", choices=sorted(STARTERS))
    parser.add_argument("--data", type=Path, required=True, help="folder with the training text")
    parser.add_argument("--out", type=Path, help="the model's folder (model_cards/starter-NAME)")
    parser.add_argument("--work", type=Path, default=Path("build/train"), help="where checkpoints are kept")
    parser.add_argument("--minutes", type=float, default=90, help="training time, earlier starts included")
    parser.add_argument("--steps", type=int, help="train so many steps instead: same seed, same weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    STARTERS[args.starter](args)


if __name__ == "__main__":
    main()
