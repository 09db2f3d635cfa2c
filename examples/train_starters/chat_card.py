"""starter-chat's card, its figures taken from the measurement alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from examples.train_starters.card import table, write_card

_FRONT = """---
license: apache-2.0
language: en
pipeline_tag: text-generation
library_name: transformers
tags: [llama, chat, small, from-scratch]
inference_chat:
  name: starter-chat
  version: 1.0.0
  capabilities: [TextGeneration, Chat]
  parameters: {max_tokens: 256, temperature: 0.3, top_p: 0.9}
---
"""

_BODY = """# starter-chat

A small Llama-type chat model ({millions:.1f} M parameters, {megabytes} MB) trained from scratch for
Inference Chat, so that the app can hold a real conversation on any computer, without a download. It
makes small talk in five personas, knows the countries of the world, does small sums, plays with
words, converts units, remembers what you tell it within a conversation, explains the app, and says
plainly when something is beyond it.

The persona is chosen by the system prompt: `You are a witty assistant.` (friendly, professional,
caring, witty or enthusiastic; friendly without one).

## Measured

Right answers, greedy, in wordings held out of training whole ({per_skill} dialogues a skill, the turns
before being right):

{skills}

Right is the expected answer to the letter. In small talk any persona's reply to the same occasion is right
too, and to occasions that mean the same (`examples/train_starters/chat_data/alike.py`); of refusals any, but
for questions of health only the one that sends to a doctor. Jokes and fun facts are not counted.

Free dialogues, written as strangers type, each answer judged by patterns of what it must and must
not contain, with the model's own answers in the history: **{right} of {turns} turns right
({share:.0%})**. The dialogues and the judge are in `examples/train_starters/chat_eval/`.

{fresh_dialogues} dialogues of strangers were written before the wordings of the last training, and no wording was
changed after a model had been tried on them, though they helped to choose which weights to keep: **{fresh_right} of {fresh_turns} turns right ({fresh_share:.0%})**. That is the figure to expect.
On {earlier_dialogues} earlier ones, whose mistakes were read before the wordings grew: {earlier_right} of {earlier_turns} ({earlier_share:.0%}).

Read the other figures as upper bounds. Turns of more than three words are kept out of training as they
stand, but shorter ones (`hi`, `6*7`) are trained on, and many wordings of the curriculum are close to
the others, as one hand wrote both. The test was also looked at while the model trained, and the
shares of the topics were changed afterwards. The judge is lenient: it looks for key words.

{facts}

## Recipe

Architecture: {shape}; byte-level BPE of {vocabulary} tokens, one token a digit; bf16 weights, tied
embeddings. Trained on conversations written by seeded generators
(`examples/train_starters/chat_data/`), loss on the answers only, Muon on the hidden matrices and
AdamW on the rest, averaged weights. To train it again:

```
python -m examples.train_starters chat --data DIR
```

{origin}

Data: small talk from the personality chat of
[botframework-cli](https://github.com/microsoft/botframework-cli) (MIT), country facts from
[factbook.json](https://github.com/factbook/factbook.json) (CC0, figures of 2021–2025), and our own
generators for everything else. No weights and no text of another model were used as a start.

## Limits

It was trained briefly and is small: sums, spelling, sorting and figures on countries are wrong now
and then, and it can misread any request. It does not reliably recognise a person in danger, so it
must not be used where that matters. It speaks English only, knows nothing newer than its data
and cannot look anything up. Do not rely on it for health, law, money or safety. For anything
larger, load a bigger model in the Registry tab.

## Sample

{samples}
"""

_TRAINED_ON = """These weights were trained on from earlier ones (`--from FOLDER`), stopped and resumed while the wordings and the
shares of the topics grew, so the seed alone does not give the same weights again. What the last training
learnt was then mixed with the weights that it began from ({kept:.0%} of the mean), which gets more of the
held-out wordings right than either ([WiSE-FT](https://arxiv.org/abs/2109.01903)); how much was chosen on
other dialogues in the same wordings."""
_FROM_SCRATCH = "The same seed and number of steps give the same weights again on the same machine."
SAMPLES = [
    [
        "hi, i'm Robin",
        "what is the capital of Portugal?",
        "and how many people live there?",
        "what's my name?",
    ],
    ["how do i load a bigger model?", "what is 48 + 37?", "spell planet", "write me an essay on gravity"],
]


def write(
    folder: Path, measured: Mapping[str, Any], samples: list[list[tuple[str, str]]], per_skill: int
) -> None:
    """Writes the card of the folder's weights."""
    free, earlier, training = measured["free"], measured["earlier"], measured["training"]
    facts = {
        "Parameters": f"{measured['parameters']:,}",
        "Weights": f"{measured['megabytes']} MB, bf16",
        "Time per token": f"{measured['milliseconds_per_token']} ms, fp32 ({measured['machine']})",
        "Training": f"{training['minutes']} min, {training['threads']} thread(s), {training['device']}; "
        f"{_amount(training)}, seed {training['seed']}",
    }
    if before := list(_before(training)):
        total = {name: sum(one[name] for one in before) for name in ("minutes", "steps", "tokens")}
        facts["Training before"] = f"{total['minutes']:.1f} min in {len(before)} goes; {_amount(total)}"
    body = _BODY.format(
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        per_skill=per_skill,
        shape=measured["shape"],
        skills=table(("skill", "right"), measured["skills"]),
        right=free["right"],
        turns=free["turns"],
        share=free["right"] / free["turns"],
        fresh_dialogues=measured["fresh"]["dialogues"],
        fresh_right=measured["fresh"]["right"],
        fresh_turns=measured["fresh"]["turns"],
        fresh_share=measured["fresh"]["right"] / measured["fresh"]["turns"],
        earlier_dialogues=earlier["dialogues"],
        earlier_right=earlier["right"],
        earlier_turns=earlier["turns"],
        earlier_share=earlier["right"] / earlier["turns"],
        facts=table(("", ""), facts),
        vocabulary=measured["vocabulary"],
        origin=_TRAINED_ON.format(kept=training["kept"]) if before else _FROM_SCRATCH,
        samples="\n\n".join(_shown(sample) for sample in samples),
    )
    write_card(folder, _FRONT + body, measured)


def _before(training: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The trainings that this one began from, the last first."""
    while begun := training.get("begun"):
        yield begun
        training = begun


def _amount(training: Mapping[str, Any]) -> str:
    return f"{training['steps']:,} steps, {training['tokens'] / 1e6:.1f} M tokens"


def _shown(sample: list[tuple[str, str]]) -> str:
    return "\n".join(f"> **you:** {asked}<br>\n> **starter-chat:** {answer}<br>" for asked, answer in sample)
