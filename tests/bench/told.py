"""Whether a free answer about a clip of shapes says what is true: read word by word, whoever wrote it."""

import itertools
import re

from examples.train_starters.shapes_world import COLOURS, SHAPES

from .clip_talk import ClipTurn
from .films import Film

NAME = re.compile(rf"\b({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})(?:s|es)?\b")
DOES = (
    ("swap", r"\b(swap|chang)\w* places?\b"),
    ("circle", r"\bin a circle\b|\bcircles\b(?! (move|stay|are))|\b(a)?round in\b|\bgoes round\b"),
    ("bounce", r"\bbounc\w+|\bjump\w*|\bup and down\b"),
    ("vanish", r"\b(disappear|vanish)\w*|\bis gone\b|\bgoes away\b"),
    ("appear", r"\bappears?\b|\bshows up\b|\bcomes in\b"),
    ("grow", r"\bgrow\w*|\bgets (bigger|larger)\b"),
    ("shrink", r"\bshrink\w*|\bgets smaller\b"),
    ("left", r"\bleft\b"),
    ("right", r"\bright\b"),
    ("up", r"\bup\b|\bupwards\b"),
    ("down", r"\bdown\b|\bdownwards\b"),
    ("still", r"\bstays?\b|\bstill\b|\bdoes not move\b|\bstands\b"),
)
WORDS = ("no", "one", "two", "three", "four", "five", "six")
TIME = re.compile(r"(?:(\d+):)?(\d+(?:\.\d+)?)(?= ?s\b|\b)")
Claims = list[tuple[str, str]]


def plain(text: str) -> str:
    """The answer without the marks of its sources."""
    return re.sub(r" ?\[\d+\]", "", text.lower())


def claims(text: str) -> Claims:
    """Who does what, in the order it is told; who is empty where a motion has no name before it."""
    found: Claims = []
    names = list(NAME.finditer(text))
    waiting: list[str] = []
    pieces = [("", text[: names[0].start()] if names else text)]
    ends = [*(one.start() for one in names[1:]), len(text)][: len(names)]
    pieces += [(one[0], text[one.end() : end]) for one, end in zip(names, ends, strict=True)]
    for name, after in pieces:
        told = [kind for kind, pattern in DOES if re.search(pattern, after)]
        if "bounce" in told:
            told = [kind for kind in told if kind not in ("up", "down")]
        told = told[:2] if {"left", "right"} & set(told) else told[:1]
        waiting += [name] if name else []
        if found and waiting[:1] == [name] and found[-1][1] == "swap" and not told:
            found.append((name, "swap"))
            waiting = []
        elif told:
            found += [(who, kind) for who in waiting or [""] for kind in told]
            waiting = []
    return found


def numbers(text: str) -> list[str]:
    """The numbers of an answer, small ones from words too."""
    return [
        str(WORDS.index(word)) if word in WORDS else word
        for word in re.findall(rf"\b(?:\d+|{'|'.join(WORDS)})\b", text)
    ]


def seconds(text: str) -> list[float]:
    """The moments that are told."""
    return [60 * float(minutes or 0) + float(rest) for minutes, rest in TIME.findall(text)]


def right(film: Film, turn: ClipTurn, answer: str) -> bool:
    """Whether the answer to a question about the clip is true, and is one."""
    text, wanted = plain(answer), turn.answer
    names = [one[0] for one in NAME.finditer(text)]
    match turn.kind:
        case "happens" | "summary" | "first" | "last":
            return _told(film, turn, text)
        case "motion":
            mine = [(who, kind) for who, kind in claims(text) if not who or who.split()[1] in turn.question]
            return {kind for _, kind in mine} == {kind for _, kind in claims(wanted)[:1]}
        case "mover":
            return set(names) == {one[0] for one in NAME.finditer(wanted)} and (bool(names) or "no" in text)
        case "check" | "exist":
            if text.startswith(("yes", "no")):
                return text.startswith(wanted)
            return turn.kind == "check" and wanted == "yes" and _agrees(film, claims(text))
        case "order":
            return names[:1] == [wanted.removeprefix("the ")]
        case "movers" | "count" | "scenes":
            return numbers(text)[:1] == [wanted]
        case "when" | "cut":
            if wanted == "never":
                return bool(re.search(r"\b(no|never|not)\b", text))
            return any(abs(one - float(wanted.split()[1])) <= _slack(film) for one in seconds(text))
        case _:
            return [word for word in re.findall(r"[a-z]+", text) if word in COLOURS][:1] == [wanted]


def _slack(film: Film) -> float:
    """Two looks at the clip, in seconds."""
    return 2 * len(film.clip.frames) / film.fps / 8


def _agrees(film: Film, told: Claims) -> bool:
    truth = {(one.thing.name, one.kind) for one in film.clip.motions}
    return bool(told) and all(who and (who, kind) in truth for who, kind in told)


def _told(film: Film, turn: ClipTurn, text: str) -> bool:
    """Everything that happens is told, nothing else, in its order, and with times where they are asked."""
    told = claims(text)
    shots = {"first": [0], "last": [film.shots - 1]}.get(turn.kind, list(range(film.shots)))
    truth = [(one.thing.name, one.kind) for shot in shots for one in film.of_shot(shot)]
    busy = {pair for pair in truth if pair[1] != "still"}
    if not set(told) <= set(truth) or not busy <= set(told) or not told:
        return False
    places = [[told.index(pair) for pair in told if pair in _of(film, shot)] for shot in shots]
    orderly = all(max(early) < min(late) for early, late in itertools.pairwise(places) if early and late)
    if turn.kind != "summary":
        return orderly
    begins = [film.looked_at[film.begins(shot)] / film.fps for shot in shots]
    said = seconds(text)
    return orderly and all(any(abs(one - begin) <= _slack(film) for one in said) for begin in begins)


def _of(film: Film, shot: int) -> set[tuple[str, str]]:
    others = {(o.thing.name, o.kind) for o in film.clip.motions if o.shot != shot}
    return {(one.thing.name, one.kind) for one in film.of_shot(shot)} - others
