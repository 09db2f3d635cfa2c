"""`python -m examples.train_starters.chat_eval FOLDER --data DIR` prints a model's scores."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from examples.train_starters.chat_eval.score import PER_SKILL, measure

parser = argparse.ArgumentParser(prog="python -m examples.train_starters.chat_eval", description=__doc__)
parser.add_argument("folder", type=Path)
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--per-skill", type=int, default=PER_SKILL)
args = parser.parse_args()
torch.set_num_threads(1)
measure(args.folder, args.data, args.per_skill)
