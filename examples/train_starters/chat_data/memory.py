"""Remembering what the user said earlier: told, asked after later, corrected, never told, and summed up."""

from __future__ import annotations

from dataclasses import dataclass

from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source, lines, sections

NAMES = (
    "Anna Ben Carlos Diana Emma Felix Grace Hannah Ivan Julia Kevin Laura Marco Nina Oscar Paula Quentin Rosa Sam Tina Umar "
    "Vera Walter Xenia Yusuf Zoe Alice Bob Clara David Elena Frank Gina Henry Irene Jack Karen Leo Maria Noah Olivia Peter "
    "Rachel Stefan Theo Ursula Victor Wendy Yara Zack Amir Bianca Chen Daria Erik Fatima Goran Hiro Ines Jonas Kira Lars Mia "
    "Nadia Omar Petra Raj Sofia Tariq Uma Vikram Wei Yuki Zara Mike Sarah John Lisa James Emily Daniel Sophie Lucas Chloe Adam "
    "Eva Tom Kate Paul Jane Mark Amy Luke Ella Max Lily Alex Ruby Simon Nora Martin Iris Tim Greta Robert Priyanka Ahmed Anil "
    "Juan Pablo Ana Luis Pedro Miguel Diego Jorge Andrea Marta Joseph Thomas William George Charlie Megan Jessica Ashley Tyler "
    "Ryan Brandon Olga Sergei Natasha Dmitri Boris Ingrid Sven Bjorn Astrid Freya Pierre Marie Claire Jean Louis Giovanni Luca "
    "Giulia Chiara Ali Hassan Layla Aisha Mei Ling Kenji Sakura Min Jin Ravi Deepa Arjun Lakshmi Kofi Ama Kwame Zuri "
    "Lena Bert Ole Ida Finn Elif Aylin Rolf Heidi Silke Uwe Birgit Anke Jan Piet Sanne Niels Karin Agnes Bruno Camille Damien "
    "Edith Fabio Gianni Hugo Ilse Jakob Klara Lorenzo Magda Nico Odette Pavel Renata Sergio Tamara Urs Valerie Wanda Xavier "
    "Yvonne Zeno Aaron Bella Caleb Dylan Ethan Faith Gavin Hazel Isaac Jade Kyle Liam Mason Nathan Owen Piper Quinn Robin "
    "Scott Tara Vincent Willow Abdul Bilal Chandra Dev Esra Farid Gita Hana Imran Jamal Khalid Leila Mona Nasser Priya Rania"
).split()
_CITIES = (
    "Berlin,Paris,London,Madrid,Rome,Vienna,Prague,Oslo,Dublin,Lisbon,Porto,Munich,Hamburg,Cologne,Lyon,Milan,Naples,Seville,"
    "Boston,Chicago,Seattle,Denver,Austin,Dallas,Toronto,Montreal,Sydney,Melbourne,Tokyo,Osaka,Mumbai,Delhi,Cairo,Nairobi,"
    "Lagos,Lima,Bogota,New York,Los Angeles,San Francisco,Barcelona,Istanbul,Warsaw,Budapest,Geneva,Zurich,Leeds,Manchester,"
    "Glasgow,Miami,Atlanta,Singapore,Hong Kong,Seoul,Beijing,Shanghai,Bangkok,Hanoi,Moscow,Kiev,Riga,Athens,Krakow,Leipzig"
).split(",")
_JOBS = (
    "teacher,nurse,doctor,baker,farmer,pilot,writer,singer,painter,engineer,lawyer,chef,waiter,driver,programmer,designer,student,"
    "photographer,carpenter,dentist,plumber,musician,actor,journalist,scientist,librarian,gardener,mechanic,electrician,accountant"
).split(",")
_COLORS = "red,blue,green,yellow,purple,orange,pink,black,white,brown,grey,turquoise,violet,silver,gold,navy,mint,crimson,maroon".split(
    ","
)
_FOODS = (
    "pizza,pasta,sushi,tacos,curry,ramen,salad,burgers,soup,lasagna,pancakes,falafel,paella,noodles,chocolate,ice cream,risotto,"
    "dumplings,steak,fish and chips,cheese,apples,mango,strawberries,kebab,waffles,bread,rice,potatoes,cake"
).split(",")
_ANIMALS = "cat,dog,horse,tiger,lion,elephant,rabbit,dolphin,whale,eagle,parrot,penguin,owl,fox,wolf,bear,panda,koala,otter,turtle".split(
    ","
)
_SPORTS = "football,tennis,basketball,hockey,swimming,running,cycling,golf,volleyball,rugby,cricket,skiing,climbing,boxing,judo".split(
    ","
)
_HOBBIES = "painting,reading,chess,gardening,cooking,hiking,fishing,singing,dancing,knitting,photography,gaming,yoga,writing,surfing".split(
    ","
)
_BOOKS = "Dune,Emma,Dracula,The Hobbit,Moby Dick,Jane Eyre,Ulysses,Momo,Heidi,Frankenstein,The Odyssey".split(
    ","
)
_FILMS = (
    "Alien,Titanic,Jaws,Rocky,Inception,Casablanca,Up,Avatar,Gladiator,The Matrix,Amelie,Shrek,Frozen".split(
        ","
    )
)
_BANDS = "jazz,rock,pop,classical music,hip hop,techno,blues,metal,reggae,country,folk,soul".split(",")
_DRINKS = (
    "coffee,tea,water,lemonade,orange juice,milk,cola,hot chocolate,beer,wine,apple juice,green tea".split(
        ","
    )
)
_SEASONS = "spring,summer,autumn,winter".split(",")
_SUBJECTS = "math,history,biology,physics,art,music,chemistry,geography,english,sports".split(",")
_PETS = ["dog", "cat", "hamster", "parrot", "rabbit", "fish", "horse", "turtle", "bird", "puppy", "kitten"]
_PET_NAMES = "Bella Rocky Luna Max Coco Buddy Daisy Milo Simba Nala Oreo Rex Lucky Ruby Toby Shadow Ginger Pepper Bruno Fluffy Felix".split()
_KIN = [
    "sister",
    "brother",
    "mother",
    "father",
    "wife",
    "husband",
    "son",
    "daughter",
    "friend",
    "best friend",
    "boss",
    "neighbour",
]
_SECRETS = ["locker code", "lucky number", "room number", "code word", "seat number", "phone pin", "bus number", "shoe size",
            "order number", "parking spot", "flight number", "table number", "ticket number", "house number"]  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """Something the user tells: how it is told, confirmed, asked after, answered and corrected."""

    key: str
    tell: list[str]
    ack: str
    ask: list[str]
    answer: str
    correct: list[str]
    slots: dict[str, str]

    def filled(self, text: str) -> str:
        """The text with this fact's values."""
        return text.format(**self.slots)


_WORDINGS = sections("memory")
_NAME_TELL = _WORDINGS["name_tell"]
_NAME_ASK = _WORDINGS["name_ask"]
_NAME_FIX = _WORDINGS["name_fix"]
_FAVOURITES = {
    "color": _COLORS, "food": _FOODS, "animal": _ANIMALS, "sport": _SPORTS, "hobby": _HOBBIES, "book": _BOOKS, "movie": _FILMS,
    "music": _BANDS, "drink": _DRINKS, "season": _SEASONS, "subject": _SUBJECTS, "fruit": _FOODS[-10:], "city": _CITIES,
    "number": [str(n) for n in range(2, 100)], "band": [f"The {name}s" for name in _PET_NAMES], "game": [*_SPORTS, "chess", "poker"],
}  # fmt: skip
_FAV_TELL = _WORDINGS["fav_tell"]
_FAV_ASK = _WORDINGS["fav_ask"]
_FAV_FIX = _WORDINGS["fav_fix"]
_KIN_TELL = _WORDINGS["kin_tell"]
_KIN_ASK = _WORDINGS["kin_ask"]
_KIN_FIX = _WORDINGS["kin_fix"]
_AGE = (
    lines("""
i am {v} years old
i'm {v}
i'm {v} years old
my age is {v}
i just turned {v}
i turned {v} (yesterday|today|last week)
i'm {v} yrs old
i am {v}
today is my birthday, i'm {v} now
i'm already {v}
"""),
    lines("""
how old am i?
what is my age?
what's my age?
do you remember how old i am?
do you know how old i am?
tell me my age
can you tell me how old i am?
how old did i say i am?
my age?
what age am i?
"""),
    ["actually i'm {v}", "no, i am {v}", "sorry, i'm {v} years old", "i meant {v}"],
)
_CITY = (
    lines("""
i live in {v}
i'm from {v}
i am from {v}
my home is in {v}
i come from {v}
i'm living in {v}
my home town is {v}
i moved to {v} (last year|recently|a month ago)
i'm based in {v}
my city is {v}
i was born in {v}
greetings from {v}
i'm writing from {v}
we live in {v}
"""),
    lines("""
where do i live?
where am i from?
which city do i live in?
do you remember where i live?
what city am i from?
where do i come from?
do you know where i'm from?
tell me where i live
where is my home?
what is my city?
which city am i from?
where did i say i live?
which town do i live in?
"""),
    [
        "actually i live in {v}",
        "no, i'm from {v}",
        "i moved to {v}",
        "sorry, i meant {v}",
        "now i live in {v}",
    ],
)
_JOB = (
    lines("""
i am a {v}
i'm a {v}
i work as a {v}
my job is {v}
i work as a {v} (here|in a big company|for ten years)
i'm a {v} by profession
by profession i'm a {v}
i make my living as a {v}
i became a {v}
my profession is {v}
i'm working as a {v}
i earn my money as a {v}
"""),
    lines("""
what is my job?
what's my job?
what do i do for a living?
what do i work as?
do you remember my job?
what is my profession?
do you know what i do?
what kind of work do i do?
what's my profession?
what did i say i do for a living?
do you know what my job is?
do you know what my profession is?
which job do i have?
"""),
    ["actually i'm a {v}", "no, i work as a {v}", "i changed jobs, i'm a {v} now", "sorry, i'm a {v}"],
)
_CODE_TELL = _WORDINGS["code_tell"]
_CODE_ASK = _WORDINGS["code_ask"]
_CODE_FIX = [
    "actually my {k} is {v}",
    "no, the {k} is {v}",
    "sorry, my {k} is {v}",
    "it changed, my {k} is now {v}",
]


def _invented(source: Source) -> str:
    syllables = [
        source.choose("BDFGKLMNPRSTVZ" if at == 0 else "bdfgklmnprstvz") + source.choose("aeiou")
        for at in range(3)
    ]
    return "".join(syllables[: source.choose([2, 2, 3])]) + source.choose(["", "n", "s", "r", "l"])


def _person(source: Source) -> str:
    return _invented(source) if source.chance(0.25) else source.choose(NAMES)


def fact(source: Source, key: str = "") -> Fact:
    """A random fact; of the given key, or of any."""
    key = key or source.choose(
        ["name", "name", "favourite", "favourite", "pet", "kin", "age", "city", "job", "code"]
    )
    kind = key.split(":")[-1] if ":" in key else ""
    group = key.split(":")[0]
    if group == "name":
        return Fact(
            "name",
            _NAME_TELL,
            "Nice to meet you, {v}!",
            _NAME_ASK,
            "Your name is {v}.",
            _NAME_FIX,
            {"v": _person(source)},
        )
    if group == "favourite":
        kind = kind or source.choose(sorted(_FAVOURITES))
        value = source.choose(_FAVOURITES[kind]) if source.chance(0.9) else _invented(source).lower()
        return Fact(f"favourite:{kind}", _FAV_TELL, "Got it: your favourite {k} is {v}.", _FAV_ASK,
                    "Your favourite {k} is {v}.", _FAV_FIX, {"k": kind, "v": value})  # fmt: skip
    if group in ("pet", "kin"):
        kind = kind or source.choose(_PETS if group == "pet" else _KIN)
        value = _person(source) if group == "kin" or source.chance(0.3) else source.choose(_PET_NAMES)
        return Fact(f"{group}:{kind}", _KIN_TELL, "{v} is a nice name for your {k}." if group == "pet" else "Got it: your {k} is called {v}.",
                    _KIN_ASK, "Your {k} is called {v}.", _KIN_FIX, {"k": kind, "v": value})  # fmt: skip
    if group == "age":
        return Fact("age", _AGE[0], "Got it: you are {v} years old.", _AGE[1], "You are {v} years old.", _AGE[2],
                    {"v": str(source.rng.randrange(6, 95))})  # fmt: skip
    if group == "city":
        city = source.choose(_CITIES) if source.chance(0.8) else _invented(source)
        return Fact(
            "city",
            _CITY[0],
            "{v}, noted! That sounds like a nice place.",
            _CITY[1],
            "You told me {v}.",
            _CITY[2],
            {"v": city},
        )
    if group == "job":
        return Fact(
            "job",
            _JOB[0],
            "Got it: you work as a {v}.",
            _JOB[1],
            "You work as a {v}.",
            _JOB[2],
            {"v": source.choose(_JOBS)},
        )
    kind = kind or source.choose(_SECRETS)
    value = str(source.rng.randrange(2, 10 ** source.choose([1, 2, 3, 4])))
    value = source.choose(_COLORS + _ANIMALS) if kind == "code word" else value
    return Fact(
        f"code:{kind}",
        _CODE_TELL,
        "I will remember: your {k} is {v}.",
        _CODE_ASK,
        "Your {k} is {v}.",
        _CODE_FIX,
        {"k": kind, "v": value},
    )


def told(source: Source, one: Fact) -> Turn:
    """The user tells it."""
    return Turn(source.say(one.tell, **one.slots), one.filled(one.ack), "memory")


def asked(source: Source, one: Fact) -> Turn:
    """The user asks after it."""
    return Turn(source.say(one.ask, **one.slots), one.filled(one.answer), "memory")


def corrected(source: Source, one: Fact) -> tuple[Fact, Turn]:
    """The user puts it right: the fact as it now is, and the turn."""
    new = fact(source, one.key)
    return new, Turn(
        source.say(one.correct, **new.slots),
        "Okay, I have changed that: " + _small(new.filled(new.answer)),
        "memory",
    )


def _small(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


_THING = {"name": "your name", "age": "your age", "city": "where you live", "job": "your job"}


def never_told(source: Source, known: set[str]) -> list[Turn]:
    """Asked after something that was not told; then perhaps told."""
    one = fact(source)
    while one.key in known:
        one = fact(source)
    thing = _THING.get(one.key) or f"your {one.slots['k']}" + (
        "'s name" if one.key[:3] in ("pet", "kin") else ""
    )
    thing = f"your favourite {one.slots['k']}" if one.key.startswith("favourite") else thing
    turns = [Turn(source.say(one.ask, **one.slots), f"You have not told me {thing} yet.", "memory")]
    if source.chance(0.4):
        known.add(one.key)
        turns += [told(source, one), asked(source, one)]
    return turns


_TWO = ["{a} and {b}", "{a}, and {b}", "{a}. {b}", "{a} and also {b}", "{a}, {b}"]
_SUMMARY = _WORDINGS["summary"]


def two_told(source: Source) -> tuple[list[Fact], Turn]:
    """Two facts told in one turn."""
    first = fact(source, source.choose(["name", "name", "age", "city", "job"]))
    second = fact(source)
    while second.key == first.key:
        second = fact(source)
    text = source.choose(_TWO).format(
        a=source.wording(first.tell).replace("{", "{a"), b=source.wording(second.tell).replace("{", "{b")
    )
    slots = {f"a{k}": v for k, v in first.slots.items()} | {f"b{k}": v for k, v in second.slots.items()}
    answer = f"{first.filled(first.ack)} {second.filled(second.ack)}"
    return [first, second], Turn(source.say([text], **slots), answer, "memory")


def summary(source: Source, facts: list[Fact]) -> Turn:
    """All that was told, in the order of telling."""
    known = " ".join(one.filled(one.answer) for one in facts)
    return Turn(source.say(_SUMMARY), known or "You have not told me anything about you yet.", "memory")
