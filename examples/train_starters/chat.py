"""Trains starter-chat, a small Llama that chats: its tokenizer, its weights, its card."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from examples.train_starters import checkpoint
from examples.train_starters.budget import Budget, learning_rate
from examples.train_starters.chat_batches import IGNORED, Batch, Encoder, batches
from examples.train_starters.chat_card import SAMPLES, write
from examples.train_starters.chat_data.dialogues import sample
from examples.train_starters.chat_eval.score import PER_SKILL, conversations, measure
from examples.train_starters.chat_tokenizer import END, PAD, token_id, train_tokenizer
from examples.train_starters.optim import Average, Optimizers


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, and for how long."""

    data: Path
    out: Path = Path("model_cards/starter-chat")
    work: Path = Path("build/train/chat")
    minutes: float = 90.0
    steps: int | None = None
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    hidden: int = 256
    layers: int = 5
    vocabulary: int = 2048
    window: int = 2048
    texts: int = 12000
    save_every: float = 120.0
    decay_from: float = 0.5
    start: Path | None = None
    kept: float = 0.4
    """How much of the weights that it began with goes into those that are written."""


def config(plan: Plan, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """The model's shape."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=plan.hidden,
        intermediate_size=plan.hidden * 11 // 4,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.hidden // 32,
        num_key_value_heads=plan.hidden // 32,
        max_position_embeddings=plan.window,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=token_id(tokenizer, END),
        pad_token_id=token_id(tokenizer, PAD),
    )


class Training:
    """A model on its way, which can be put down and taken up again."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.device = _device(plan.device)
        torch.set_num_threads(plan.threads)
        torch.manual_seed(plan.seed)
        self.tokenizer = _tokenizer(plan)
        self.model = _model(plan, self.tokenizer)
        torch.nn.Module.to(self.model, self.device)
        self.optimizers = Optimizers(self.model)
        self.average = Average(self.model)
        self.step, self.buffer, self.tokens = 0, 0, 0
        self.budget = Budget(plan.minutes, plan.steps)
        self._take_up()

    def run(self) -> None:
        """Trains to the end of the budget, saving on the way."""
        encoder, pad = Encoder(self.tokenizer, self.plan.window), token_id(self.tokenizer, PAD)
        saved = time.monotonic()
        while self.budget.progress(self.step) < 1:
            for batch in batches(encoder, pad, self.plan.data, self.plan.seed, self.buffer):
                progress = self.budget.progress(self.step)
                if progress >= 1:
                    break
                loss = self._learn(batch, learning_rate(progress, self.step, decay_from=self.plan.decay_from))
                if self.step % 50 == 0:
                    self.budget.show(self.step, f"loss {loss:.3f}, {self.tokens / 1e6:.1f} M tokens")
            self.buffer += 1
            if time.monotonic() - saved > self.plan.save_every:
                self.save()
                saved = time.monotonic()
        self.save()
        if self.plan.start is not None:
            self.mix()

    def mix(self) -> None:
        """Takes the mean of what was learnt and the weights that it began with, which gets more wordings that
        were not trained on right than either (arXiv:2109.01903), and exports it."""
        began = _model(self.plan, self.tokenizer).state_dict()
        for name, tensor in self.average.weights.items():
            tensor.lerp_(began[name].to(tensor), self.plan.kept)
        self.export()

    def _learn(self, batch: Batch, factor: float) -> float:
        ids, labels = (tensor.to(self.device) for tensor in batch)
        self.model.train()
        with torch.autocast(self.device.type, torch.bfloat16):
            hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
            wanted = labels[:, 1:]
            taught = wanted != IGNORED
            logits = self.model.lm_head(hidden[taught])
        loss = functional.cross_entropy(logits.float(), wanted[taught])
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers.step(factor)
        self.average.update(self.model, self.step)
        self.step += 1
        self.tokens += int(ids.numel())
        return float(loss.detach())

    def save(self) -> None:
        """A checkpoint, and the model as it stands in its folder."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.weights,
            "optimizers": self.optimizers.state_dict(),
            "step": self.step,
            "buffer": self.buffer,
            "tokens": self.tokens,
            "spent": self.budget.seconds,
        }
        checkpoint.save(self.plan.work / "checkpoint.pt", state)
        self.export()

    def export(self) -> None:
        """Writes the averaged weights, tokenizer and configs in the layout of a model repository."""
        model = LlamaForCausalLM(self.model.config)
        model.load_state_dict(self.average.weights)
        model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
            bos_token_id=None,
            eos_token_id=model.config.eos_token_id,
            pad_token_id=model.config.pad_token_id,
            max_new_tokens=256,
            do_sample=True,
            temperature=0.3,
            top_p=0.9,
        )
        self.plan.out.mkdir(parents=True, exist_ok=True)
        model.bfloat16().save_pretrained(self.plan.out)
        self.tokenizer.save_pretrained(self.plan.out)

    def _take_up(self) -> None:
        state = checkpoint.load(self.plan.work / "checkpoint.pt")
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        self.average.weights = {name: tensor.to(self.device) for name, tensor in state["average"].items()}
        self.optimizers.load_state_dict(state["optimizers"])
        self.step, self.buffer, self.tokens = state["step"], state["buffer"], state["tokens"]
        self.budget.spent = state["spent"]
        print(f"going on from step {self.step}, {self.budget.spent / 60:.1f} min", file=sys.stderr)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _model(plan: Plan, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """The model to begin with: that of the folder `plan.start`, else a new one."""
    if plan.start is None:
        return LlamaForCausalLM(config(plan, tokenizer))
    model: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(plan.start, dtype=torch.float32)
    return model


def _tokenizer(plan: Plan) -> PreTrainedTokenizerFast:
    """The tokenizer of the folder to begin as, of an earlier run, or a new one learnt from the curriculum."""
    folder = plan.start or plan.work / "tokenizer"

    def learn() -> PreTrainedTokenizerFast:
        dialogues = (sample(f"tokenizer/{plan.seed}/{at}", plan.data) for at in range(plan.texts))
        texts = (message["content"] for dialogue in dialogues for message in dialogue.messages())
        return train_tokenizer(texts, plan.vocabulary, plan.window)

    return checkpoint.tokenizer(folder, learn)


def train(plan: Plan) -> None:
    """The whole way: train, measure, write the card."""
    training = Training(plan)
    training.run()
    finish(plan, training)


def finish(plan: Plan, training: Training) -> None:
    """Measures the exported weights and writes their card."""
    facts: dict[str, object] = {
        "steps": training.step,
        "tokens": training.tokens,
        "minutes": round(training.budget.seconds / 60, 1),
        "threads": plan.threads,
        "device": str(training.device),
        "seed": plan.seed,
    }
    if plan.start is not None and (plan.start / "eval.json").exists():
        facts["kept"] = plan.kept
        facts["begun"] = json.loads((plan.start / "eval.json").read_text(encoding="utf-8"))["training"]
    measured = measure(plan.out, plan.data) | {"training": facts}
    write(plan.out, measured, conversations(plan.out, SAMPLES), PER_SKILL)
