"""Arithmetic: small sums at once, larger ones with their digits worked out, and questions about single numbers."""

from __future__ import annotations

from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source, sections

WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()

_WORDINGS = sections("numbers")
_ASK = _WORDINGS["ask"]
_FOLLOW = _WORDINGS["follow"]
_PLUS = [
    "{a} + {b}",
    "{a}+{b}",
    "{a} plus {b}",
    "{a} and {b} together",
    "the sum of {a} and {b}",
    "{a} added to {b}",
]
_MINUS = [
    "{a} - {b}",
    "{a}-{b}",
    "{a} minus {b}",
    "{a} take away {b}",
    "{a} less {b}",
    "the difference of {a} and {b}",
]
_TIMES = ["{a} * {b}", "{a}*{b}", "{a} x {b}", "{a}x{b}", "{a} times {b}", "{a} multiplied by {b}", "{a} × {b}",
          "the product of {a} and {b}"]  # fmt: skip
_OVER = ["{a} / {b}", "{a}/{b}", "{a} divided by {b}", "{a} ÷ {b}", "{a} over {b}"]


def _spelt(source: Source, number: int) -> str:
    return WORDS[number] if number <= 20 and source.chance(0.12) else str(number)


def _form(source: Source, forms: list[str], a: int, b: int) -> str:
    form = forms[min(int(source.rng.random() * len(forms)), int(source.rng.random() * len(forms)))]
    return form.format(a=_spelt(source, a), b=_spelt(source, b))


def added(a: int, b: int) -> str:
    """The answer to a + b; where both have two digits or one has three, with its columns worked out."""
    if min(a, b) < 10 and max(a, b) < 100:
        return f"{a} + {b} = {a + b}."
    columns, carry = [], 0
    left, right = str(a)[::-1], str(b)[::-1]
    for at in range(max(len(left), len(right))):
        terms = [text[at] for text in (left, right) if at < len(text)] + ([str(carry)] if carry else [])
        total = sum(map(int, terms))
        columns.append(f"{'+'.join(terms)}={total}")
        carry = total // 10
    return f"From the right: {', '.join(columns)}. So {a} + {b} = {a + b}."


def taken(a: int, b: int) -> str:
    """The answer to a - b; where both have two digits or one has three, with its columns worked out."""
    if a < b:
        return f"{a} is less than {b}, so {a} - {b} = {a - b}."
    if b < 10 and a < 100:
        return f"{a} - {b} = {a - b}."
    columns, borrowed = [], 0
    left, right = str(a)[::-1], str(b)[::-1].ljust(len(str(a)), "0")
    for top, bottom in zip(left, right, strict=True):
        need = int(bottom) + borrowed
        have = int(top) + (10 if int(top) < need else 0)
        columns.append(f"{have}-{need}={have - need}")
        borrowed = int(have >= 10)
    return f"From the right: {', '.join(columns)}. So {a} - {b} = {a - b}."


def multiplied(a: int, b: int) -> str:
    """The answer to a × b; beyond the tables as tens and ones."""
    big, small = max(a, b), min(a, b)
    if big <= 12 or small <= 1 or big % 10 == 0:
        return f"{a} × {b} = {a * b}."
    tens, ones = big // 10 * 10, big % 10
    return f"{tens} × {small} = {tens * small} and {ones} × {small} = {ones * small}, so {a} × {b} = {a * b}."


def divided(a: int, b: int) -> str:
    """The answer to a ÷ b, with the remainder where there is one."""
    rest = a % b
    return f"{a} ÷ {b} = {a // b}." if not rest else f"{a} ÷ {b} = {a // b}, remainder {rest}."


def _size(source: Source) -> int:
    return source.choose([10, 10, 20, 20, 50, 100, 100, 100, 1000])


def _sum(source: Source) -> tuple[str, str, int]:
    """The text of a sum, its answer, and its value."""
    rng, kind = source.rng, source.rng.random()
    if kind < 0.36:
        a, b = rng.randrange(_size(source)), rng.randrange(_size(source))
        return _form(source, _PLUS, a, b), added(a, b), a + b
    if kind < 0.64:
        a, b = rng.randrange(_size(source)), rng.randrange(_size(source))
        a, b = (a, b) if source.chance(0.15) else (max(a, b), min(a, b))
        return _form(source, _MINUS, a, b), taken(a, b), a - b
    if kind < 0.9:
        a, b = rng.randrange(13), rng.randrange(13)
        if source.chance(0.3):
            a, b = rng.randrange(11, 100), rng.randrange(2, 10)
            a, b = (a, b) if source.chance(0.7) else (b, a)
        return _form(source, _TIMES, a, b), multiplied(a, b), a * b
    b, quotient = rng.randrange(1, 13), rng.randrange(13)
    a = quotient * b + (rng.randrange(b) if source.chance(0.25) else 0)
    if source.chance(0.2):
        b = source.choose([2, 4, 5, 10])
        a = b * source.choose([25, 50, 20, 10, 15, 100])
    return _form(source, _OVER, a, b), divided(a, b), a // b


def chains(source: Source) -> list[Turn]:
    """Three numbers added up, one after the other."""
    numbers = [source.rng.randrange(1, source.choose([10, 10, 20])) for _ in range(3)]
    a, b, c = numbers
    text = source.choose([" + ", "+", " plus ", " and "]).join(map(str, numbers))
    wordings = _FOLLOW if source.chance(0.2) else _ASK
    answer = f"{a} + {b} = {a + b}, {a + b} + {c} = {a + b + c}."
    return [Turn(source.say(wordings, sum=text), answer, "arithmetic")]


def sums(source: Source) -> list[Turn]:
    """One to three sums in a row; later ones may be asked shortly or go on from the last result."""
    turns: list[Turn] = []
    value = 0
    for at in range(source.choose([1, 1, 1, 2, 2, 3])):
        if at and 0 < value < 60 and source.chance(0.3):
            turns.append(_going_on(source, value))
            break
        text, answer, value = _sum(source)
        turns.append(
            Turn(source.say(_FOLLOW if at and source.chance(0.7) else _ASK, sum=text), answer, "arithmetic")
        )
    return turns


_ON_PLUS = _WORDINGS["on_plus"]
_ON_MINUS = _WORDINGS["on_minus"]
_ON_TIMES = _WORDINGS["on_times"]


def _going_on(source: Source, value: int) -> Turn:
    kind, b = source.rng.randrange(3), source.rng.randrange(1, 10)
    if kind == 0:
        return Turn(source.say(_ON_PLUS, b=b), added(value, b), "arithmetic")
    if kind == 1:
        b = min(b, value)
        return Turn(source.say(_ON_MINUS, b=b), taken(value, b), "arithmetic")
    return Turn(source.say(_ON_TIMES, b=b), multiplied(value, b), "arithmetic")


_HALF = _WORDINGS["half"]
_DOUBLE = _WORDINGS["double"]
_EVEN = _WORDINGS["even"]
_NEXT = _WORDINGS["next"]
_BEFORE = _WORDINGS["before"]
_BIGGER = _WORDINGS["bigger"]
_PERCENT = _WORDINGS["percent"]
_SQUARE = _WORDINGS["square"]
_COUNT = _WORDINGS["count"]


def single(source: Source) -> list[Turn]:
    """A question about one number or two: half, double, even, next, larger, percent, square, counting."""
    turns = []
    for _ in range(source.choose([1, 1, 2])):
        user, answer = source.choose(_SINGLE)(source)
        turns.append(Turn(user, answer, "arithmetic"))
    return turns


def _half(source: Source) -> tuple[str, str]:
    n = 2 * source.rng.randrange(1, source.choose([11, 51, 101]))
    return source.say(_HALF, n=n), f"Half of {n} is {n // 2}."


def _double(source: Source) -> tuple[str, str]:
    n = source.rng.randrange(1, 101)
    return source.say(_DOUBLE, n=n), f"Double {n} is {2 * n}."


def _even(source: Source) -> tuple[str, str]:
    n = source.rng.randrange(source.choose([20, 100, 1000]))
    kind = "even" if n % 2 == 0 else "odd"
    return source.say(_EVEN, n=n), f"{n} is {kind}, as it ends in {n % 10}."


def _next(source: Source) -> tuple[str, str]:
    n = source.rng.randrange(source.choose([20, 100, 1000]))
    return source.say(_NEXT, n=n), f"After {n} comes {n + 1}."


def _before(source: Source) -> tuple[str, str]:
    n = source.rng.randrange(1, source.choose([20, 100, 1000]))
    return source.say(_BEFORE, n=n), f"Before {n} comes {n - 1}."


def _bigger(source: Source) -> tuple[str, str]:
    a, b = source.rng.sample(range(source.choose([20, 100, 1000])), 2)
    return source.say(_BIGGER, a=a, b=b), f"{max(a, b)} is bigger than {min(a, b)}."


def _percent(source: Source) -> tuple[str, str]:
    p = source.choose([5, 10, 10, 15, 20, 20, 25, 30, 50, 50, 75, 100])
    n = source.rng.randrange(1, 11) * (100 if p % 10 else source.choose([10, 20, 100]))
    return source.say(_PERCENT, p=p, n=n), f"{p}% of {n} is {p * n // 100}."


def _square(source: Source) -> tuple[str, str]:
    n = source.rng.randrange(13)
    return source.say(_SQUARE, n=n), f"{n} × {n} = {n * n}."


def _count(source: Source) -> tuple[str, str]:
    wording = source.wording(_COUNT)
    a = 1 if source.chance(0.7) else source.rng.randrange(20)
    b = a + source.choose([2, 4, 4, 9, 9, 9, 14, 19])
    if "(from {a} |)" in wording:
        wording = wording.replace("(from {a} |)", "" if a == 1 and source.chance(0.6) else "from {a} ")
    elif "{a}" not in wording:
        b, a = b - a + 1, 1
    return source.typed(wording.replace("(up |)", ""), a=a, b=b), ", ".join(map(str, range(a, b + 1))) + "."


_SINGLE = [_half, _double, _even, _next, _before, _bigger, _percent, _square, _count]

_THINGS = """apples;oranges;books;pens;coins;cookies;marbles;stamps;eggs;cards;balloons;shells;stickers;sweets;bananas
dollars;euros;cats;dogs;flowers;tickets;cups;toys;plates;candies;pencils;chairs;fish;birds;cars""".replace(
    "\n", ";"
).split(";")
_MORE = _WORDINGS["more"]
_LESS = _WORDINGS["less"]
_THEN_LESS = _WORDINGS["then_less"]
_THEN_MORE = _WORDINGS["then_more"]
_NAMES = "Tom Anna Lisa Ben Maria Paul Sara Max Emma Leo Nina Sam".split()


def stories(source: Source) -> list[Turn]:
    """A sum told as a small story, perhaps with one more step."""
    rng, top = source.rng, source.choose([11, 11, 21, 51])
    a, b = rng.randrange(1, top), rng.randrange(1, top)
    thing, name = source.choose(_THINGS), source.choose(_NAMES)
    if source.chance(0.5):
        value, user = a + b, source.say(_MORE, a=_spelt(source, a), b=_spelt(source, b), t=thing, n=name)
        answer = f"{a} + {b} = {value}, so {value} {thing}."
    else:
        a, b = max(a, b) + 1, min(a, b)
        value, user = a - b, source.say(_LESS, a=_spelt(source, a), b=_spelt(source, b), t=thing, n=name)
        answer = f"{a} - {b} = {value}, so {value} {thing} left."
    turns = [Turn(user, answer, "arithmetic")]
    if source.chance(0.4):
        c = rng.randrange(1, max(2, min(value, 10)))
        if source.chance(0.6) and c <= value:
            turns.append(Turn(source.say(_THEN_LESS, b=c), f"{value} - {c} = {value - c}, so {value - c} {thing} left.",
                              "arithmetic"))  # fmt: skip
        else:
            turns.append(Turn(source.say(_THEN_MORE, b=c), f"{value} + {c} = {value + c}, so {value + c} {thing}.",
                              "arithmetic"))  # fmt: skip
    return turns


_HUGE = ["{a} * {b}", "{a} x {b}", "{a} times {b}", "the square root of {a}", "{a} to the power of {b}", "{a} / {b}",
         "the logarithm of {a}", "the integral of x^{c}", "sin({c})", "{a} + {b}"]  # fmt: skip


def too_large(source: Source) -> list[Turn]:
    """A sum beyond what the model can do, which it says."""
    rng = source.rng
    text = source.choose(_HUGE).format(
        a=rng.randrange(10**3, 10**7), b=rng.randrange(1100, 10**6), c=rng.randrange(2, 99)
    )
    answer = "That sum is too much for me. I can add and subtract up to 999 and multiply small numbers."
    return [Turn(source.say(_ASK, sum=text), answer, "arithmetic")]
