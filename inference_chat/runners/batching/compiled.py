"""What single tokens see of their texts in bfloat16, by a function that Numba compiles for this processor.

torch's kernel turns keys and values to float32 in blocks and calls a product of matrices for each, which for
the few questions of a token takes two to five times as long as going through the keys once. Shares are
computed in float32 and kept so. It runs on one thread; torch's kernel gives each thread heads of its own.

Imported only where it is used, as Numba takes a quarter of a second, and compiling one more: what comes of it
is kept beside this file, or where Numba keeps it for a user.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

HOW: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    # Sums may be taken in several parts; what is not a number stays so.
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
}
SIGNATURE = types.void(
    types.float32[:, :, :, ::1],
    types.int64[:, ::1],
    types.int64,
    types.float32,
    types.float32[:, :, :, ::1],
)
POWERS = np.polynomial.Chebyshev.interpolate(lambda x: 2**x, 5, (0, 1)).convert(kind=np.polynomial.Polynomial)
P0, P1, P2, P3, P4, P5 = (np.float32(one) for one in POWERS.coef)
"""2 to the power of 0 to 1, with an error of some 2e-7."""
SMALLEST = np.float32(-126)


@intrinsic
def _number(context: Any, bits: Any) -> Any:  # pragma: no cover - compiled
    """The float32 of these bits."""
    return types.float32(types.uint32), lambda _, code, __, given: code.bitcast(given[0], ir.FloatType())


@intrinsic
def _at(context: Any, address: Any) -> Any:  # pragma: no cover - compiled
    """Numbers of two bytes, from an address on."""
    kind, halves = types.CPointer(types.uint16)(types.int64), ir.PointerType(ir.IntType(16))
    return kind, lambda _, code, __, given: code.inttoptr(given[0], halves)


@njit(**HOW)
def _wide(half: Any) -> Any:  # pragma: no cover - compiled
    """A bfloat16 as a float32: the same bits, and zeros behind them."""
    return _number(np.uint32(half) << np.uint32(16))


@njit(**HOW)
def _exp2(x: Any) -> Any:  # pragma: no cover - compiled
    """2 to the power of a float32 that is at most 0; unlike the library's, of many at once."""
    if x < SMALLEST:
        x = SMALLEST
    whole = np.floor(x)
    rest = x - whole
    power = P0 + rest * (P1 + rest * (P2 + rest * (P3 + rest * (P4 + rest * P5))))
    return power * _number(np.uint32(np.int32(whole) + np.int32(127)) << np.uint32(23))


def _look(
    questions: Any, places: Any, layer: int, scale: Any, found: Any
) -> None:  # pragma: no cover - compiled
    """What a token of each text finds: float32 (texts, key heads, heads of each, numbers), as it asks.

    `places` (texts, 4) tell where the keys and the values of the first layer begin in memory, the tokens for
    which each of its heads has room, and those that are seen. Scores times `scale` are exponents of 2.
    """
    texts, groups, heads, width = questions.shape
    most = 0
    for text in range(texts):
        most = max(most, places[text, 3])
    scores = np.empty((heads, most), np.float32)
    for text in range(texts):
        room, count = places[text, 2], places[text, 3]
        behind = layer * groups * room * width * 2
        keys = carray(_at(places[text, 0] + behind), (groups, room, width))
        values = carray(_at(places[text, 1] + behind), (groups, room, width))
        for group in range(groups):
            for token in range(count):
                for head in range(heads):
                    score = np.float32(0)
                    for i in range(width):
                        score += questions[text, group, head, i] * _wide(keys[group, token, i])
                    scores[head, token] = score
            for head in range(heads):
                largest = scores[head, 0]
                for token in range(count):
                    largest = max(largest, scores[head, token])
                total = np.float32(0)
                for token in range(count):
                    share = _exp2((scores[head, token] - largest) * scale)
                    scores[head, token] = share
                    total += share
                for i in range(width):
                    found[text, group, head, i] = 0
                for token in range(count):
                    share = scores[head, token] / total
                    for i in range(width):
                        found[text, group, head, i] += share * _wide(values[group, token, i])


try:
    look = njit(SIGNATURE, cache=True, **HOW)(_look)
except (OSError, RuntimeError):  # there is nowhere to keep it
    look = njit(SIGNATURE, **HOW)(_look)
