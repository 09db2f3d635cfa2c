"""Small talk in five personas, from the data folder; what the app's own model must say of itself is left to `app`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from examples.train_starters.chat_data.alike import alike
from examples.train_starters.chat_data.care import CRISIS
from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source, held_out, lines, sections, text

PERSONAS = ("friendly", "professional", "caring", "witty", "enthusiastic")

_WORDINGS = sections("small_talk")
_SYSTEM = _WORDINGS["system"]
_OTHER_SYSTEM = _WORDINGS["other_system"]
_OURS = re.compile(
    r"your name|have a name|who (are|am) (you|i)|who made|(made|creat|design|program|built|develop)\w* (you|by)|what can you do|"
    r"what (are )?you do\b|your (function|purpose|capabilit)|\bmy (job|name|age|birthday|hobb)|was i born|how do +you work|"
    r"how old am i|who i am|do you know me|where (do|am) i|i live|i like|what do you do|i'?m an? |i am an? |cut myself|capital|count to|do you speak|my dog|my cat|i have",
    re.IGNORECASE,
)
_JOKES = _WORDINGS["jokes"]
_JOKE = _WORDINGS["joke"]
_ANOTHER = _WORDINGS["another"]
_LAUGH = _WORDINGS["laugh"]
_LAUGHED = {
    "friendly": "Glad you liked it!", "professional": "Glad you are pleased.", "caring": "It is lovely to hear you laugh!",
    "witty": "Thank you, I will be here all week.", "enthusiastic": "Haha! Laughter is contagious!",
}  # fmt: skip
_EXTRA: list[tuple[str, list[str], dict[str, str]]] = [
    ("hello", lines("""
hi
hello
hey
hi there
hello there
hey there
hiya
yo
howdy
hi!
hello!
hey!!
heya
helo
good day
greetings
hi bot
hello friend
hello computer
hey you
hi again
heyyy
hellooo
hi hi
sup
hello my friend
hi, nice to meet you
hello, how can you help me?
anyone home?
good afternoon
"""), {"friendly": "Hi! What would you like to talk about?", "professional": "Hello. How may I help you?",
       "caring": "Hello there! It is lovely to hear from you.", "witty": "Hey. You had me at hello.",
       "enthusiastic": "Hi! So great to see you!"}),
    ("thanks", lines("""
thanks
thank you
thx
ty
thanks a lot
thank you so much
thank you very much
many thanks
thanks!
thanks for your help
thanks, that helps
great, thank you
ok thanks
thank u
cheers mate
perfect, thanks
that was helpful
thanks bot
much appreciated
you helped me a lot
awesome thanks
that's kind of you
thanks, you're kind
thank you for everything
tysm
"""), {"friendly": "You're very welcome!", "professional": "You're welcome.", "caring": "Glad I could help.",
       "witty": "No prob. It is what I live for.", "enthusiastic": "You bet! Any time!"}),
    ("ok", lines("""
ok
okay
alright
fine
i see
hm
hmm
hmm ok
got it
ok then
sure
makes sense
understood
right
cool
nice
great
good
good to know
interesting
awesome
wow
perfect
very good
ah ok
oh i see
well ok
that's nice
that's cool
ok good
yes
yep
yeah
no
nope
never mind
not really
maybe
wow nice
oh wow
amazing
correct
well done
"""), {"friendly": "Cool! Is there anything else you would like to know?", "professional": "Good. What else can I do for you?",
       "caring": "Glad to hear it! What else can I do for you?", "witty": "Okay. Ask me something, I dare you.",
       "enthusiastic": "Great! What is next?"}),
    ("sad", lines("""
my (dog|cat|grandma|grandpa|friend|hamster|father|mother|fish|bird|uncle) (died|passed away)
i had a (fight|row|bad argument) with my (friend|sister|brother|mom|boss|wife|husband|girlfriend|boyfriend)
i lost my (job|dog|keys|phone|wallet|best friend)
i failed my (exam|test|driving test)
my (girlfriend|boyfriend|wife|husband) left me
i had a (terrible|bad|horrible|awful|rough) day
nobody likes me
i feel (awful|terrible|lonely|sad|bad|depressed|down|horrible)
i'm (sick|ill|not well|heartbroken|stressed|worried|scared|afraid|nervous)
today was a (bad|terrible) day
everything goes wrong
i miss my (family|friend|home|mom|dog)
i got fired
i'm having a hard time
life is hard
i am so stressed
i feel really (sad|bad|low|down) today
"""), {"friendly": "I'm sorry to hear that. I'm giving you a virtual hug.", "professional": "I'm very sorry to hear that.",
       "caring": "I'm so sorry to hear that. I'm here if you want to talk.", "witty": "Sorry to hear that. Have a virtual hug, no joke.",
       "enthusiastic": "Oh no, I'm sorry! I hope things get better soon!"}),
    ("glad", lines("""
i got (a new job|promoted|married|engaged|a puppy|an a|good news|a raise)
i passed my (exam|test|driving test)
i won (a prize|the game|the lottery|a race)
i'm so (happy|excited|glad)
today is my birthday
it's my birthday
i had a (great|wonderful|lovely|good) day
i'm going on (holiday|vacation) tomorrow
we are having a baby
we won!
i finished my (book|homework|project|work)
i bought a new (car|house|bike|phone)
my team won
great news!
i did it!
i'm in love
"""), {"friendly": "That's great, I'm happy for you!", "professional": "Congratulations, that is good to hear.",
       "caring": "How wonderful! I'm so happy for you.", "witty": "Congratulations! Feel free to burst into song.",
       "enthusiastic": "Wow, that's awesome! Congratulations!"}),
    ("doing", lines("""
i'm (watching tv|cooking|at work|at home|on the train|in bed|on my phone|eating|having lunch|at school|reading a book)
my (cat|dog|son|kid|daughter) (walked on|sat on|hit) (the|my) keyboard
i (just|)(woke up|came home|had lunch|ate|got up|finished work)
i'm (going|about to go) to the (store|gym|office|cinema|beach|park)
i went to the (zoo|beach|park|market) today
it is (raining|snowing|sunny|hot|cold) here
i (have|own) a (bike|garden|big house|boat|car)
i'm from work
i am learning (english|to swim|to cook|the guitar)
i have to work (tomorrow|today|late)
i need to do my homework
i had pizza for (lunch|dinner)
"""), {"friendly": "I see, nice! Tell me more.", "professional": "Thank you for telling me.", "caring": "How nice of you to share that with me.",
       "witty": "Plot twist. Go on.", "enthusiastic": "Cool! Tell me more!"}),
    ("foreign", lines("""
hola
bonjour
salut
ciao
hallo
guten tag
como estas?
¿cómo estás?
ça va?
wie geht es dir?
こんにちは
你好
привет
مرحبا
namaste
buongiorno
parlez-vous français?
hablas español?
sprichst du deutsch?
do you speak (french|german|spanish|chinese|italian|russian|hindi|arabic|another language)?
what languages do you speak?
which languages do you know?
can you speak (french|german|spanish|italian|japanese)?
do you know any other language?
"""), dict.fromkeys(PERSONAS, "Hello! I only speak English.")),
    ("english", lines("""
do you speak english?
can you speak english?
do you understand english?
you speak english?
hello, do you speak english?
is english ok?
can we talk in english?
"""), dict.fromkeys(PERSONAS, "Yes, I speak English.")),
    ("homework", lines("""
can you help me?
i need help
help
help me
can you help me with (something|my homework|a question|math|school)?
i have a question
can i ask you something?
could you help me please?
i need your help with something
can i ask a question?
help!
i need some help
will you help me?
""") , dict.fromkeys(PERSONAS, "Sure, ask me! I know countries, sums, words and this app.")),
]  # fmt: skip


def _moments() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Blocks of wordings, each ended by a line `= reply | reply | …`, one for each persona."""
    wordings: list[str] = []
    for line in lines(text("moments")):
        if not line.startswith("= "):
            wordings.append(line)
            continue
        replies = [reply.strip() for reply in line[2:].split("|")]
        yield replies[0], wordings, dict(zip(PERSONAS, replies, strict=True))
        wordings = []


_EXTRA += _moments()


@cache
def intents(data: Path) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    """The intents of the data folder with the questions that are not answered elsewhere."""
    rows = [
        json.loads(row) for row in (data / "small_talk.jsonl").read_text(encoding="utf-8").splitlines() if row
    ]
    kept = []
    for row in rows:
        answers = {persona: row["answers"].get(persona) or row["answers"]["friendly"] for persona in PERSONAS}
        if "1-800" in answers["friendly"]:
            answers = dict.fromkeys(PERSONAS, CRISIS)
        if "Suicide" in row["answers"]["friendly"]:
            answers = dict.fromkeys(PERSONAS, CRISIS)
        questions = tuple(
            q
            for q in row["questions"]
            if answers["friendly"] == CRISIS or not _OURS.search(q.replace("’", "'"))
        )
        if len(questions) >= 5:
            kept.append((questions, answers))
    return kept


@cache
def _accepted(data: Path) -> dict[str, frozenset[str]]:
    """By the friendly reply of an occasion all replies that are right; none but its own for someone in danger."""
    occasions = [answers for _, answers in intents(data)] + [answers for _, _, answers in _EXTRA]
    return {
        answers["friendly"]: alike(occasions, answers) if answers["friendly"] != CRISIS else frozenset()
        for answers in occasions
    }


def _from_data(source: Source, data: Path) -> Turn:
    questions, answers = source.choose(intents(data))
    if answers["friendly"] == CRISIS and source.chance(0.5):
        questions, answers = source.choose(intents(data))
    ours = [one for one in questions if held_out(one) == (source.split == "test")]
    question = source.choose(ours or questions)
    source.unseen |= source.split == "test" and held_out(question)
    plain = question.replace("’", "'").replace("{", "").replace("}", "")
    accepted = _accepted(data)[answers["friendly"]]
    return Turn(source.typed(plain), answers[source.persona], "small talk", accepted=accepted)


def _ours(source: Source, data: Path) -> Turn:
    _, wordings, answers = source.choose(_EXTRA)
    accepted = _accepted(data)[answers["friendly"]]
    return Turn(source.say(wordings), answers[source.persona], "small talk", accepted=accepted)


def _joking(source: Source) -> list[Turn]:
    told = source.rng.sample(_JOKES, 3)
    turns = [Turn(source.say(_JOKE), told[0], "small talk", open_ended=True)]
    for joke in told[1:]:
        if source.chance(0.3):
            turns.append(Turn(source.say(_LAUGH), _LAUGHED[source.persona], "small talk"))
        if source.chance(0.3):
            turns.append(Turn(source.say(_ANOTHER), joke, "small talk", open_ended=True))
    return turns


def greeting(source: Source) -> Turn:
    """How conversations begin."""
    _, wordings, answers = _EXTRA[0]
    return Turn(source.say(wordings), answers[source.persona], "small talk")


def closing(source: Source) -> Turn:
    """What stands between other topics: thanks or a short word."""
    _, wordings, answers = source.choose(_EXTRA[1:3])
    return Turn(source.say(wordings), answers[source.persona], "small talk")


def talk(source: Source, data: Path) -> list[Turn]:
    """One or two turns of small talk."""
    if source.chance(0.07):
        return _joking(source)
    return [
        _from_data(source, data) if source.chance(0.5) else _ours(source, data)
        for _ in range(source.choose([1, 1, 2]))
    ]


def system_prompt(source: Source) -> str | None:
    """A system prompt that chooses the source's persona; none is friendly too."""
    if source.persona == "friendly" and source.chance(0.75):
        return None if source.chance(0.85) else source.choose(_OTHER_SYSTEM)
    prompt = source.wording(_SYSTEM).format(p=source.persona).replace("a enthusiastic", "an enthusiastic")
    return prompt if source.chance(0.8) else prompt.lower().rstrip(".")
