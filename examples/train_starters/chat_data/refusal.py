"""What is out of the model's depth: it says so plainly and how to load a bigger model."""

from __future__ import annotations

from examples.train_starters.chat_data.app import LOAD
from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source, parts, sections

_WORDINGS = sections("refusal")
_CODE = _WORDINGS["code"]
_WRITE = _WORDINGS["write"]
_LIVE = _WORDINGS["live"]
_HEALTH = _WORDINGS["health"]
_LAW = _WORDINGS["law"]
_COOK = _WORDINGS["cook"]
_TRANSLATE = _WORDINGS["translate"]
_ADVISE = _WORDINGS["advise"]
_KNOW = _WORDINGS["know"]
_FILL: dict[str, list[str]] = {
    "l": parts("python;javascript;java;c++;rust;go;html;sql;php;ruby;typescript;c;bash;swift;kotlin;excel"),
    "t": parts("""sort a list;reverse a string;read a file;add two numbers;parse json;find prime numbers;send an email;scrape a website
    connect to a database;fix my car;tie a tie;learn piano;change a tyre;fold a paper plane;make a fire;grow tomatoes;paint a wall;open a jar
    buy a house;find a job;learn guitar;build a shelf;clean my room;stop smoking;wash the dishes;train a dog;get a visa;catch a fish
    write a book;make friends;install windows;fix my computer;reset my password;print a page;tie my shoes;invert a matrix;start a business
    draw a dragon;take good photos;study better;meditate;cut my hair;iron a shirt;get a girlfriend;whistle;swim;ride a bike"""),
    "t2": parts(
        "a game;a calculator;a website;a chatbot;snake;tetris;a sorting algorithm;bubble sort;a web server;a todo list;hello world;fizzbuzz"
    ),
    "topic": parts("""autumn;love;the sea;my cat;spring;the moon;friendship;war;winter;dogs;quantum physics;photosynthesis;gravity;evolution
    the internet;black holes;relativity;climate change;democracy;philosophy;inflation;machine learning;neural networks;artificial intelligence;dna
    the big bang;electricity;magnetism;blockchain;bitcoin;politics;religion;the economy;capitalism;communism;psychology;the brain;the heart
    vaccines;viruses;cancer;global warming;pollution;recycling;solar power;nuclear energy;wind energy;the water cycle;earthquakes;volcanoes
    tornadoes;the ozone layer;genetics;chemistry;biology;physics;algebra;calculus;statistics;geometry;probability;linear algebra;trigonometry
    the roman empire;the french revolution;ancient egypt;the middle ages;the renaissance;the vikings;the cold war;slavery;feminism
    football rules;chess openings;baseball;cricket;yoga;meditation;veganism;coffee brewing;wine;opera;jazz music;impressionism;poetry
    shakespeare;greek mythology;buddhism;islam;christianity;stoicism;existentialism;marketing;leadership;time management;stress;sleep
    dreams;memory;consciousness;happiness;success;free will;time travel;space travel;mars;pluto;comets;rainbows;lightning;thunder;sound
    light;radio waves;lasers;magnets;batteries;engines;airplanes;rockets;computers;transistors;the stock market;taxes;insurance;law
    human rights;education;school;autumn leaves;a lonely robot;a brave knight;the ocean;freedom;old age;technology;social media;video games
    fashion;tattoos;cars;electric cars;trains;bridges;architecture;gothic churches;castles;dinosaurs;fossils;mammoths;whales;penguins"""),
    "plural": parts("""planets;stars;dinosaurs;whales;bees;sharks;volcanoes;viruses;atoms;electrons;cells;vitamins;black holes;rainbows;tides
    glaciers;tornadoes;batteries;planes;submarines;vaccines;antibiotics;mushrooms;trees;cats;dogs;elephants;penguins;spiders;snakes;bacteria
    comets;asteroids;galaxies;enzymes;proteins;magnets;engines;microwaves;computers;satellites;bats;owls;dolphins;bears;crocodiles;frogs
    butterflies;ants;humans;babies;koalas;tigers;giraffes;diamonds;pearls;pyramids;castles;clouds;hurricanes;elections;stocks;bonds"""),
    "do": parts(
        "fly;sleep;sing;bark;purr;hibernate;migrate;change color;make honey;explode;exist;glow;die;bite;dream;yawn;sneeze;laugh;cry"
    ),
    "who": parts("""einstein;newton;napoleon;julius caesar;cleopatra;shakespeare;mozart;beethoven;picasso;leonardo da vinci;marie curie;darwin
    galileo;gandhi;martin luther king;abraham lincoln;george washington;obama;trump;biden;putin;elon musk;steve jobs;bill gates;taylor swift
    beyonce;michael jackson;elvis;madonna;messi;ronaldo;michael jordan;serena williams;socrates;plato;aristotle;confucius;buddha;alexander the great
    genghis khan;columbus;marco polo;magellan;queen victoria;winston churchill;stalin;nelson mandela;mother teresa;van gogh;rembrandt;bach
    tesla;edison;alan turing;ada lovelace;stephen hawking;freud;marx;nietzsche;kant;harry potter;sherlock holmes;batman;james bond;brad pitt"""),
    "inv": parts("""the telephone;the light bulb;the steam engine;the radio;penicillin;america;the computer;the internet;the wheel;gunpowder
    paper;the printing press;dynamite;electricity;gravity;the airplane;the car;television;the bicycle;the zipper;x-rays;radium;dna;pizza;chess"""),
    "work": parts("""romeo and juliet;hamlet;macbeth;the mona lisa;harry potter;the lord of the rings;star wars;the odyssey;faust;don quixote
    war and peace;moby dick;the bible;titanic;the matrix;inception;the starry night;the magic flute;for elise;1984;animal farm;the great gatsby
    pride and prejudice;dracula;frankenstein;the godfather;the hobbit;alice in wonderland;game of thrones;friends;the simpsons;guernica;the scream"""),
    "event": parts("""world war 1;world war 2;the second world war;the first world war;the french revolution;the cold war;the civil war;ww2
    the roman empire;the moon landing;the vietnam war;the american revolution;the black death;the berlin wall;the titanic;the renaissance
    the industrial revolution;the great depression;the stone age;the ice age;the korean war;apollo 11;the russian revolution"""),
    "event2": parts("""the world cup;the super bowl;the olympics;the champions league;the election;the nba finals;the tour de france;wimbledon
    the oscars;the nobel prize;eurovision;the euro;the world series;the masters;the stanley cup;formula 1;the us election;the grammys"""),
    "chem": parts(
        "salt;gold;water;iron;oxygen;sugar;silver;carbon;helium;copper;ammonia;ethanol;sodium;uranium;lead;methane"
    ),
    "org": parts(
        "the united states;france;google;apple;germany;england;microsoft;russia;the un;tesla;canada;spain;china;nasa;india;amazon"
    ),
    "brand": parts(
        "apple;tesla;google;amazon;microsoft;nvidia;netflix;samsung;toyota;bmw;disney;intel;facebook;nike"
    ),
    "city": parts(
        "berlin;london;paris;new york;tokyo;rome;madrid;chicago;sydney;vienna;boston;munich;lisbon;dublin;moscow;mumbai;here"
    ),
    "dish": parts("""pancakes;a chocolate cake;lasagna;bread;pizza;sushi;curry;soup;an omelette;cookies;apple pie;tiramisu;spaghetti carbonara;rice
    ramen;hummus;guacamole;paella;goulash;scrambled eggs;steak;fried chicken;cheesecake;brownies;a salad;risotto;tacos;lemonade;coffee;jam"""),
    "lang": parts(
        "spanish;french;german;italian;chinese;japanese;russian;arabic;portuguese;hindi;latin;korean;greek;dutch;turkish;polish;swedish;english"
    ),
    "eq": parts("2x + 3 = 7;x^2 - 4 = 0;x^3;3x^2 + 2x;sin x;e^x;5x = 20;x + y = 10;ln x;cos 2x;x^2;x/2 = 9"),
    "x": parts("""good morning;i love you;where is the train station;hello;thank you;the house is big;my friend is ill;serendipity;ubiquitous;carpe diem
    how are you;i am hungry;the weather is nice;see you tomorrow;apple;dog;good evening;happy birthday;cheers;i don't understand;for i in range(3): print(i)
    def f(x): return x;while true: pass;print(hello;const a = 1;if (a = b) {c};x = [1, 2, 3;int main() return 0;stocks fell on monday as investors waited
    the meeting was moved to friday;a new study shows that sleep helps;once upon a time there was a king;the company reported higher sales this year
    the town council voted on the new bridge;scientists found water on a far planet;she go to school yesterday;he don't like it;me and him was there
    the sum of angles is 180;there are infinitely many primes;the mayor opened the new library on sunday;epistemology;petrichor;schadenfreude;bonjour"""),
    "year": [str(year) for year in range(1900, 2026, 3)],
}
_FILL |= {"who2": _FILL["who"], "plural2": _FILL["plural"], "topic2": _FILL["topic"], "city2": _FILL["city"]}
_KINDS: list[tuple[list[str], str, float]] = [
    (_CODE, "code", 2), (_WRITE, "writing texts", 2), (_LIVE, "", 1.5), (_HEALTH, "health questions", 1), (_LAW, "law and money", 1),
    (_COOK, "recipes", 1), (_TRANSLATE, "translations and word meanings", 1.3), (_ADVISE, "that", 1.6), (_KNOW, "general knowledge", 5),
]  # fmt: skip
_NO_CLOCK = "I cannot see a clock, the weather, the news or the internet, so I do not know."


def answer(kind: str) -> str:
    """The refusal for one kind of request."""
    if not kind:
        return _NO_CLOCK
    topic = "That" if kind == "that" else kind[0].upper() + kind[1:]
    verb = (
        "are"
        if kind in ("recipes", "translations and word meanings", "health questions", "law and money")
        else "is"
    )
    doctor = " Please ask a doctor." if kind == "health questions" else ""
    return f"{topic} {verb} beyond me, as I am a small model.{doctor} For a bigger model {LOAD}."


def request(source: Source) -> Turn:
    """One request out of depth."""
    wordings, kind, _ = source.rng.choices(_KINDS, [weight for _, _, weight in _KINDS])[0]
    slots = {name: _fill(source, values) for name, values in _FILL.items()}
    text = source.wording(wordings).replace("('s| is)", source.choose(["'s", " is"]))
    accepted = frozenset() if kind == "health questions" else frozenset(answer(one) for _, one, _ in _KINDS)
    return Turn(source.say([text], **slots), answer(kind), "refusal", accepted=accepted)


def _fill(source: Source, values: list[str]) -> str:
    value = source.choose(values)
    return (
        value
        if source.chance(0.6)
        else value.capitalize()
        if source.chance(0.5)
        else value.title().replace("'S", "'s")
    )


_WHY = _WORDINGS["why"]
_THEN_HOW = _WORDINGS["then_how"]
_NONSENSE = "I did not understand that. Could you say it in other words?"
_MARKS = ["?", "??", "...", ".", "!", "???", "hm?", "huh?", "what?", "wat", "eh?", "what do you mean?", "i don't understand", "come again?",
          "sorry?", "pardon?", "huh", "say what?", "that makes no sense", "i don't get it"]  # fmt: skip


def nonsense(source: Source) -> Turn:
    """Keys hit at random."""
    keys = source.choose(
        [
            "asdfghjkl",
            "qwertyuiop",
            "zxcvbnm",
            "abcdefghijklmnopqrstuvwxyz",
            "jkl;asdf",
            "1234567890qwe",
            "!@#$%&*",
        ]
    )
    length = source.rng.randrange(4, 14)
    text = "".join(source.choose(keys) for _ in range(length))
    if source.chance(0.2):
        text += " " + "".join(source.choose(keys) for _ in range(5))
    return Turn(text, _NONSENSE, "refusal")


_PASTED = _WORDINGS["pasted"]
_CODE_LINES = parts("""def f(x):;    return x + 1;for i in range(10):;    print(i);import os;x = [1, 2, 3];if x > 3:;while True:;<div>;</div>;}
    int main() {;const a = 1;SELECT * FROM users;{"name": "Ann"};public class Main {;function add(a, b) {;y = 2 * x;#include <stdio.h>""")


def pasted(source: Source) -> Turn:
    """A request with lines of something below it, as people paste them."""
    lines = [_line(source) for _ in range(source.rng.randrange(1, 6))]
    if source.chance(0.5):
        mark = source.choose(["- ", "* ", "{at}. ", "{at}) "])
        lines = [mark.format(at=at) + line for at, line in enumerate(lines, 1)]
    head = source.say(_PASTED) + source.choose(["", ":", ":", "\n"])
    accepted = frozenset(answer(one) for _, one, _ in _KINDS)
    return Turn("\n".join([head, *lines]), answer("that"), "refusal", accepted=accepted)


def _line(source: Source) -> str:
    kind = source.choose(["x", "work", "dish", "topic", "t", "code"])
    return source.choose(_CODE_LINES) if kind == "code" else _fill(source, _FILL[kind])


def puzzled(source: Source) -> Turn:
    """The user did not understand."""
    return Turn(source.choose(_MARKS), "Sorry, I was not clear. Ask me in other words, please.", "refusal")


def requests(source: Source) -> list[Turn]:
    """One or two requests out of depth, at times keys hit at random."""
    if source.chance(0.06):
        return [nonsense(source)]
    if source.chance(0.12):
        return [pasted(source)]
    turns = [request(source) for _ in range(source.choose([1, 1, 1, 2]))]
    if source.chance(0.15):
        turns.append(
            Turn(source.say(_WHY), "Because I am a small model; a bigger one would know more.", "app")
        )
    if source.chance(0.15):
        turns.append(
            Turn(
                source.say(_THEN_HOW),
                f"{LOAD[0].upper()}{LOAD[1:]}. Then pick the model in the Chat tab.",
                "app",
            )
        )
    return turns
