"""Words and letters: spelling, reversing, counting, sorting, opposites, rhymes and repeating."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source, sections

WORDS = (
    "apple banana cherry orange lemon mango peach grape melon tomato potato carrot onion pepper garlic bread butter "
    "cheese sugar honey water coffee chocolate cookie pizza sandwich dinner lunch breakfast kitchen spoon fork knife "
    "plate bottle glass table chair window door house garden flower tree forest river mountain ocean island beach "
    "desert valley cloud thunder storm winter summer spring autumn morning evening night yellow purple green silver "
    "golden black white brown pink cat dog horse tiger lion elephant monkey rabbit mouse snake turtle dolphin whale "
    "shark eagle parrot penguin chicken duck goose sheep goat cow pig zebra giraffe camel kangaroo spider butterfly "
    "car train plane bicycle ship rocket engine wheel bridge street road city village country castle tower school "
    "teacher student doctor nurse farmer singer writer painter king queen prince friend family mother father sister "
    "brother baby child people happy hungry angry quiet simple strong little clever gentle brave funny music guitar "
    "piano violin drum song dance picture movie story letter pencil paper book library computer keyboard screen phone "
    "camera battery energy light shadow mirror candle pillow blanket pocket jacket button shoe hat scarf glove shirt "
    "ring crown diamond money market ticket holiday birthday present party balloon circus magic dragon wizard ghost "
    "robot planet star moon sun galaxy comet space world history science number question answer language sentence "
    "hello welcome tomorrow yesterday minute hour second week month year strawberry raspberry blueberry pineapple "
    "coconut avocado mushroom pumpkin cucumber spinach broccoli cinnamon vanilla pancake noodle hospital airport "
    "station restaurant umbrella suitcase passport journey adventure treasure secret mystery puzzle game football "
    "tennis hockey swimming running jumping walking mississippi committee bookkeeper necessary beautiful difficult "
    "important interesting different together something everything nothing someone anything python code token model "
    "chat image video dashboard registry sky rain snow wind fire earth stone sand grass leaf root seed bird fish frog "
    "ant bee fly owl fox wolf bear deer mole crab love peace hope dream life time hand foot head heart eye ear nose "
    "mouth tooth hair arm leg knee finger bed sofa lamp clock radio box bag key map toy ball cup bowl egg milk tea "
    "rice soup salt cake pie jam nut pear plum fig lime kiwi corn bean pea"
).split()

_WORDINGS = sections("words")
_FILES = Path(__file__).parent / "wordings"
_SPELL = _WORDINGS["spell"]
_REVERSE = _WORDINGS["reverse"]
_SPELL_ALL = _WORDINGS["spell_all"]
_LENGTH = _WORDINGS["length"]
_LETTER = _WORDINGS["letter"]
_FIRST = _WORDINGS["first"]
_SORT = _WORDINGS["sort"]
_NUMBERS = _WORDINGS["numbers"]
_LARGEST = _WORDINGS["largest"]
_ORDER = _WORDINGS["order"]
_COUNT = _WORDINGS["count"]
_SAY = _WORDINGS["say"]
_FILLERS = (
    "the a my your this that one red big old new small is was sees likes has eats runs sings today here there very "
    "and with on in under near"
).split()


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word of the wordings, thousands of them, for letter tasks."""
    written = " ".join(file.read_text(encoding="utf-8").lower() for file in sorted(_FILES.glob("*.txt")))
    return tuple(sorted(set(re.findall(r"(?<![{'\w])[a-z]{3,12}(?![}'\w])", written)) | set(WORDS)))


def spelt(word: str) -> str:
    """The word's letters, joined by hyphens."""
    return "-".join(word)


def _pick(source: Source) -> str:
    """A word; sometimes one that nobody has seen, so that letters are read and not remembered."""
    if source.chance(0.2):
        word = "".join(
            source.choose("bcdfghklmnprstvw") + source.choose("aeiou")
            for _ in range(source.choose([2, 2, 3]))
        )
        return word + source.choose(["", "n", "r", "l", "x", "m"])
    return source.choose(WORDS if source.chance(0.5) else vocabulary())


def _shown(source: Source, word: str) -> str:
    return source.choose([word, word, word, word, f'"{word}"', f"'{word}'", word.capitalize()])


def _on_word(source: Source, word: str, follow: bool) -> tuple[str, str]:
    """A question about the letters of one word, asked anew or of the word just talked about."""
    shown = source.choose(["it", "that word", "that", "this word", "it"]) if follow else _shown(source, word)
    kind = source.rng.random()
    if kind < 0.3:
        return source.say(_SPELL, w=shown), f"{word.capitalize()} is spelled {spelt(word)}."
    if kind < 0.55:
        return source.say(_REVERSE, w=shown), f"{spelt(word)} backwards is {spelt(word[::-1])}."
    if kind < 0.72:
        counted = ", ".join(f"{letter} {at}" for at, letter in enumerate(word, 1))
        return source.say(_LENGTH, w=shown), f"{counted}: {word} has {len(word)} letters."
    if kind < 0.9:
        letter = source.choose(word) if source.chance(0.85) else source.choose("abcdefghilmnoprstuw")
        return source.say(_LETTER, w=shown, c=letter), _letter_answer(word, letter)
    first = source.chance(0.5)
    user = source.say(_FIRST, w=shown, which="first" if first else "last", verb="start" if first else "end")
    which, letter = ("first", word[0]) if first else ("last", word[-1])
    return user, f"{spelt(word)}: the {which} letter is {letter}."


def _letter_answer(word: str, letter: str) -> str:
    count, shown = 0, []
    for each in word:
        count += each == letter
        shown.append(f"{each} {count}" if each == letter else each)
    times = "once" if count == 1 else f"{count} times"
    return (
        f"{', '.join(shown)}: {letter} comes {times}."
        if count
        else f"{', '.join(shown)}: there is no {letter}."
    )


def letters(source: Source) -> list[Turn]:
    """Questions about the letters of a word, the later ones perhaps of the same word."""
    word, turns = _pick(source), []
    for at in range(source.choose([1, 1, 2, 3])):
        follow = bool(at) and source.chance(0.6)
        if at and not follow:
            word = _pick(source)
        turns.append(Turn(*_on_word(source, word, follow), "words"))
    return turns


def spelling(source: Source) -> list[Turn]:
    """Several words spelt at once."""
    words = [_pick(source) for _ in range(source.rng.randrange(2, 7))]
    return [
        Turn(source.say(_SPELL_ALL, ws=_listed(source, words)), ", ".join(map(spelt, words)) + ".", "words")
    ]


def _listed(source: Source, items: list[str]) -> str:
    joint = source.choose([", ", ", ", ", ", " ", " and ", ","])
    if joint == ", " and source.chance(0.35):
        return ", ".join(items[:-1]) + " and " + items[-1]
    return joint.join(items)


def sorting(source: Source) -> list[Turn]:
    """Words or numbers put in order, the largest of some numbers, or a list reversed."""
    rng, count, kind = source.rng, source.choose([3, 3, 3, 4, 4, 5]), source.rng.random()
    if kind < 0.4:
        items = rng.sample(WORDS, count)
        return [Turn(source.say(_SORT, ws=_listed(source, items)), ", ".join(sorted(items)) + ".", "words")]
    numbers = rng.sample(range(1, source.choose([10, 20, 100, 100])), count)
    shown = _listed(source, [str(number) for number in numbers])
    if kind < 0.7:
        return [Turn(source.say(_NUMBERS, ws=shown), ", ".join(map(str, sorted(numbers))) + ".", "words")]
    if kind < 0.85:
        largest = source.chance(0.6)
        which = source.choose(["largest", "biggest", "highest"] if largest else ["smallest", "lowest"])
        value = max(numbers) if largest else min(numbers)
        return [Turn(source.say(_LARGEST, ws=shown, which=which), f"The {which} is {value}.", "words")]
    items = rng.sample(WORDS, count)
    return [Turn(source.say(_ORDER, ws=_listed(source, items)), ", ".join(items[::-1]) + ".", "words")]


def _phrase(source: Source, longest: int = 6) -> str:
    picked = [
        source.choose(_FILLERS if source.chance(0.4) else WORDS)
        for _ in range(source.rng.randrange(1, longest + 1))
    ]
    return " ".join(picked)


def repeating(source: Source) -> list[Turn]:
    """Saying what one is asked to say, or counting its words."""
    phrase = _phrase(source)
    if source.chance(0.35):
        items = phrase.split()
        counted = ", ".join(f"{at} {word}" for at, word in enumerate(items, 1))
        user = source.say(_COUNT, s=phrase)
        return [Turn(user, f"{counted}: {len(items)} word{'s' * (len(items) != 1)}.", "words")]
    if source.chance(0.3):
        phrase = source.choose(["hello", "hello world", "hi mom", "cheese", "good morning", "i am a robot", "ok",
                                "i love you", "yes", "no", "abc", "please", "bananas", "thank you"])  # fmt: skip
    user = source.say(_SAY, s=phrase)
    return [Turn(user, phrase[:1].upper() + phrase[1:] + ".", "words")]


OPPOSITES = dict(
    pair.split("-")
    for pair in """hot-cold;cold-hot;big-small;small-big;large-small;tall-short;short-long;long-short;happy-sad;sad-happy
    good-bad;bad-good;fast-slow;slow-fast;up-down;down-up;left-right;right-left;day-night;night-day;light-dark;dark-light
    old-young;young-old;new-old;rich-poor;poor-rich;hard-soft;soft-hard;loud-quiet;quiet-loud;open-closed;full-empty
    empty-full;clean-dirty;dirty-clean;early-late;late-early;easy-difficult;difficult-easy;strong-weak;weak-strong
    high-low;low-high;near-far;far-near;in-out;on-off;off-on;yes-no;no-yes;true-false;false-true;wet-dry;dry-wet
    thick-thin;thin-thick;wide-narrow;narrow-wide;heavy-light;love-hate;hate-love;win-lose;lose-win;begin-end;start-stop
    stop-start;black-white;white-black;first-last;last-first;before-after;after-before;always-never;never-always
    inside-outside;push-pull;pull-push;buy-sell;sell-buy;give-take;brave-afraid;smooth-rough;sharp-blunt;deep-shallow
    sweet-sour;cheap-expensive;expensive-cheap;boring-interesting;beautiful-ugly;safe-dangerous;noisy-quiet;above-below
    alive-dead;awake-asleep;guilty-innocent;hot-cold;warm-cool;simple-complex;friend-enemy;summer-winter;winter-summer
    north-south;south-north;east-west;west-east;war-peace;success-failure;polite-rude;ancient-modern""".replace(
        "\n", ";"
    ).split(";")
    for pair in [pair.strip()]
)
SYNONYMS = dict(
    pair.split("-")
    for pair in """happy-glad;sad-unhappy;big-large;small-little;fast-quick;smart-clever;angry-mad;tired-sleepy;begin-start
    end-finish;beautiful-pretty;easy-simple;difficult-hard;rich-wealthy;quiet-silent;strange-odd;funny-amusing;scared-afraid
    nice-kind;good-great;bad-awful;buy-purchase;help-assist;answer-reply;ask-question;choose-pick;shout-yell;smile-grin
    home-house;road-street;job-work;gift-present;friend-pal;child-kid;boat-ship;stone-rock;sick-ill;correct-right;wrong-false
    tasty-delicious;brave-courageous;hungry-starving;important-essential;old-ancient;cold-chilly;hot-warm;huge-giant
    tiny-minute;jump-leap;run-sprint;look-see;speak-talk;fix-repair;close-shut;under-below;strong-powerful""".replace(
        "\n", ";"
    ).split(";")
    for pair in [pair.strip()]
)
RHYMES = [
    family.split()
    for family in """cat hat bat mat rat; dog log fog frog; sun fun run bun; tree bee sea knee; house mouse; night light
    right sight; day play way say; car star far bar; moon spoon soon noon; rain train plane chain; book look cook hook; king
    ring sing wing; blue shoe true two; red bed head bread; cake lake make snake; ball tall wall fall; bear chair hair pear; love
    dove glove above; time rhyme lime climb; fish dish wish; goat boat coat; snow go low slow; heart part art start; hand sand
    land band; best nest test rest; nice ice mice rice; cold gold old told; sky fly pie eye; door floor four more; green queen
    seen bean; fox box socks rocks; pen ten hen men; sock clock rock lock; game name same flame; gate late plate eight; hill mill
    pill fill; bell well shell tell; duck truck luck; song long wrong strong; kite bite white site; money honey funny sunny""".split(
        ";"
    )
]
_OPPOSITE = _WORDINGS["opposite"]
_SYNONYM = _WORDINGS["synonym"]
_RHYME = _WORDINGS["rhyme"]
_FOLLOW = ["and {w}?", "what about {w}?", "{w}?", "and of {w}?", "how about {w}?", "and for {w}?"]


def meaning(source: Source) -> list[Turn]:
    """Opposites, words of like meaning and rhymes, one or two in a row."""
    kind, turns = source.rng.random(), []
    for at in range(source.choose([1, 1, 2])):
        if kind < 0.45:
            word = source.choose(sorted(OPPOSITES))
            asked, answer = _OPPOSITE, f"The opposite of {word} is {OPPOSITES[word]}."
        elif kind < 0.7:
            word = source.choose(sorted(SYNONYMS))
            asked, answer = _SYNONYM, f"Another word for {word} is {SYNONYMS[word]}."
        else:
            family = source.choose(RHYMES)
            word = source.choose(family)
            others = [each for each in family if each != word]
            asked, answer = _RHYME, f"{word.capitalize()} rhymes with {' and '.join(others[:2])}."
        wordings = _FOLLOW if at else asked
        turns.append(Turn(source.say(wordings, w=_shown(source, word)), answer, "words"))
    return turns
