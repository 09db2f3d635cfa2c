"""Units, days, months and simple common knowledge."""

from __future__ import annotations

from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source, lines, sections

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
_MONTH_DAYS = dict(zip(MONTHS, [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], strict=True))
UNITS: list[tuple[list[str], list[str], int]] = [
    (["kilometers", "km", "kilometres"], ["meters", "m", "metres"], 1000), (["meters", "m"], ["centimeters", "cm"], 100),
    (["kilograms", "kg", "kilos"], ["grams", "g"], 1000), (["hours", "h"], ["minutes", "min"], 60), (["minutes"], ["seconds"], 60),
    (["days"], ["hours"], 24), (["weeks"], ["days"], 7), (["years"], ["months"], 12), (["feet", "ft"], ["inches"], 12),
    (["liters", "l", "litres"], ["milliliters", "ml"], 1000), (["centimeters", "cm"], ["millimeters", "mm"], 10),
    (["yards"], ["feet"], 3), (["tons", "tonnes"], ["kilograms", "kg"], 1000), (["dollars"], ["cents"], 100), (["dozen"], ["pieces"], 12),
    (["centuries"], ["years"], 100), (["decades"], ["years"], 10),
]  # fmt: skip
# Two units that are no whole multiples: both names, and how many of the second one of the first is.
_ROUGHLY: list[tuple[list[str], list[str], float]] = [
    (["km", "kilometers", "kilometres"], ["miles"], 0.6214), (["miles"], ["km", "kilometers"], 1.609),
    (["kg", "kilos", "kilograms"], ["pounds", "lbs"], 2.205), (["pounds", "lbs"], ["kg", "kilos"], 0.4536),
    (["inches"], ["cm", "centimeters"], 2.54), (["feet", "ft"], ["meters", "m"], 0.3048),
]  # fmt: skip
_WORDINGS = sections("units")
_CONVERT = _WORDINGS["convert"]
_AFTER = _WORDINGS["after"]
_BEFORE = _WORDINGS["before"]
_MONTH_AFTER = _WORDINGS["month_after"]
_MONTH_BEFORE = _WORDINGS["month_before"]
_IN_DAYS = _WORDINGS["in_days"]
_LONG = _WORDINGS["long"]
_NTH = _WORDINGS["nth"]
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_LISTS = [
    (lines("list the months\nname all months\nwhat are the months of the year?\nlist all the months of the year\nsay the months\n"
           "what are the twelve months?\ntell me the months\nwhich months are there?"), ", ".join(MONTHS) + "."),
    (lines("list the days of the week\nname the days\nwhat are the days of the week?\nweekdays?\nsay the days of the week\n"
           "which days does a week have?\ntell me all days of the week\nname all seven days"), ", ".join(DAYS) + "."),
    (lines("what are the seasons?\nlist the four seasons\nname the seasons\nwhich seasons are there?\nhow many seasons are there?\n"
           "tell me the seasons\nthe four seasons?"), "The seasons are spring, summer, autumn and winter."),
]  # fmt: skip


def conversion(source: Source) -> list[Turn]:
    """Units turned to others, once or twice."""
    turns = []
    for _ in range(source.choose([1, 1, 2])):
        big, small, factor = source.choose(UNITS)
        n = source.rng.randrange(1, source.choose([6, 11, 21] if factor < 100 else [11, 21, 100]))
        a, b = source.choose(big), source.choose(small)
        if source.chance(0.25) and factor > 1:
            user = source.say(_CONVERT, n=n * factor, a=b, b=a)
            turns.append(Turn(user, f"{n * factor} {b} = {n} {a}.", "units"))
        else:
            turns.append(
                Turn(
                    source.say(_CONVERT, n=n if n > 1 or source.chance(0.5) else 1, a=a, b=b),
                    f"{n} {a} = {n * factor} {b}.",
                    "units",
                )
            )
    return turns


def rough(source: Source) -> list[Turn]:
    """Units that are no whole multiples, up to ten and full tens."""
    first, second, factor = source.choose(_ROUGHLY)
    n = source.choose([*range(1, 11), 20, 50, 100])
    a, b = source.choose(first), source.choose(second)
    return [Turn(source.say(_CONVERT, n=n, a=a, b=b), f"{n} {a} is about {n * factor:.1f} {b}.", "units")]


def dates(source: Source) -> list[Turn]:
    """Days and months before and after, lengths of months, lists."""
    turns = []
    for _ in range(source.choose([1, 1, 2])):
        user, answer = _date(source)
        turns.append(Turn(user, answer, "units"))
    return turns


def _date(source: Source) -> tuple[str, str]:
    day, month, kind = source.rng.randrange(7), source.rng.randrange(12), source.rng.randrange(8)
    if kind == 0:
        return source.say(_AFTER, d=DAYS[day]), f"After {DAYS[day]} comes {DAYS[(day + 1) % 7]}."
    if kind == 1:
        return source.say(_BEFORE, d=DAYS[day]), f"Before {DAYS[day]} comes {DAYS[day - 1]}."
    if kind == 2:
        return source.say(
            _MONTH_AFTER, d=MONTHS[month]
        ), f"After {MONTHS[month]} comes {MONTHS[(month + 1) % 12]}."
    if kind == 3:
        return source.say(
            _MONTH_BEFORE, d=MONTHS[month]
        ), f"Before {MONTHS[month]} comes {MONTHS[month - 1]}."
    if kind == 4:
        n = source.rng.randrange(2, 8)
        walked = [DAYS[(day + at) % 7] for at in range(1, n + 1)]
        return source.say(_IN_DAYS, d=DAYS[day], n=n), f"{', '.join(walked)}: it is {walked[-1]}."
    if kind == 5:
        extra = ", or 29 in a leap year" if month == 1 else ""
        return source.say(
            _LONG, d=MONTHS[month]
        ), f"{MONTHS[month]} has {_MONTH_DAYS[MONTHS[month]]} days{extra}."
    if kind == 6:
        return source.say(
            _NTH, n=_ORDINALS[month], m=month + 1
        ), f"The {_ORDINALS[month]} month is {MONTHS[month]}."
    wordings, answer = source.choose(_LISTS)
    return source.say(wordings), answer


_COMMON = _WORDINGS["common"]
_BEFORE_COMMON = [
    "{q}",
    "{q}",
    "tell me, {q}",
    "do you know {q}",
    "can you tell me {q}",
    "so, {q}",
    "and {q}",
    "i wonder, {q}",
]
_FUN = _WORDINGS["fun"]


def common(source: Source) -> list[Turn]:
    """What every child knows."""
    turns = []
    for _ in range(source.choose([1, 1, 2])):
        if source.chance(0.2):
            answer = source.choose([line.split("=")[1] for line in _COMMON[24:33]])
            turns.append(Turn(source.say(_FUN), "Did you know? " + answer, "units", open_ended=True))
            continue
        question, answer = source.choose(_COMMON).split("=")
        turns.append(
            Turn(
                source.typed(source.choose(_BEFORE_COMMON).replace("{q}", _chosen(source, question))),
                answer,
                "units",
            )
        )
    return turns


def _chosen(source: Source, question: str) -> str:
    from examples.train_starters.chat_data.wording import expand

    return expand(source.rng, question)
