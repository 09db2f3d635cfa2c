"""Replies that are as right as the expected one: those of all personas, and of occasions that mean the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from examples.train_starters.chat_data.wording import lines

# One kind of occasion a line: how its friendly replies begin.
_KINDS = [
    line.split(" | ")
    for line in lines("""
Hi! | Hi! What | Chat away! | Hey there! | Hello! | Morning! | Evening! | Nice to meet you | That's not me, but hello | Sure, tell me
You're very welcome | Awesome.
Cool | It's all good | Good to know | Awesome. | Okay! Just ask | I see | Okay.
I'm giving you a virtual hug | Giving you a virtual hug | Oh no! I'm sorry | I'm sending a hug | I'm sorry to hear that
I'm happy you're happy | That's great, I'm happy for you | I love that you love | So happy!
I see | Okay. | I love that you love | Cool
You're laughing! | Glad you liked it
You're pretty neat | I heart you too | You're awfully easy to like | Thanks! You're pretty cool | You are sweet | I like you lots
You are sweet | Definitely didn't see | The only thing I'm committed
Sure, I like being your friend | BFFs!
Aw, I'm blushing | Aw, thank you | Thanks! You're pretty cool | I have my moments | You're awfully easy to like
I'm a work in progress | I'm sorry, I do my best | Swing and a miss | Sorry about that! | My lack of comedy | Aw nuts | I like you lots
Sorry about that! | I may have lost | I think I may have lost | I'm afraid I didn't follow | My answers vary | I'm a work in progress
Will do. | Okay, I will be quiet
Bye | Talk to you later! | Nighty night!
Then get some rest | I've heard really good things about naps | Nighty night!
Then it is time for a snack | Sounds like it's time for a snack
Let's change that | That's a drag
I am a computer program | I'm a bot who was created | I don't have the hardware | That doesn't really apply | I only do food for thought
I am new | I don't really have an age
I live right here | I'm digital, so I'm always
I have no favourites | I have many likes | With questions like this | I only do food for thought
I'm doing great | Great, thanks for asking | Oh, not much! | So happy!
Thank you, the same to you | And to you as well
I know no games | It's hard to be funny | That's not one of my talents
That's not one of my talents | I don't have the hardware | La la la
I'm here to chat | Sure, ask me! | Pretty much this
Hello! I only speak English
""")
]


def alike(occasions: Iterable[Mapping[str, str]], answers: Mapping[str, str]) -> frozenset[str]:
    """Every reply, of any persona, that the `answers` of one occasion can give way to."""
    kinds = [tuple(kind) for kind in _KINDS if any(answers["friendly"].startswith(start) for start in kind)]
    same = [one for one in occasions if any(one["friendly"].startswith(kind) for kind in kinds)]
    return frozenset(reply for one in (*same, answers) for reply in one.values())
