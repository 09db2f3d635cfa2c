"""In float32 on a CPU a text has the same numbers to the last bit, however it is cut, whoever is beside."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from inference_chat.runners.batching import Batch, exact
from inference_chat.runners.batching.attention import Piece
from inference_chat.runners.batching.kept import Kept
from inference_chat.runners.batching.lean import GRAIN, Lean, shared
from inference_chat.runners.batching.masks import hiding
from inference_chat.runners.batching.slot import Shape, Slot
from tests.runners.models import FAMILIES, ONE_BY_ONE, build, open_runner

EXPERTS = ("GptOss",)
"""What is summed for an expert depends on how many tokens it gets."""
MODELS: dict[str, dict[str, Any]] = {name: {} for name in FAMILIES if name not in (*ONE_BY_ONE, *EXPERTS)} | {
    "Mistral with a long window": {"sliding_window": 600},
    "Llama with large layers": {"intermediate_size": 11008},
    "Qwen2 with large layers": {"intermediate_size": 11008},
}
LENGTHS = (5, 33, 64, 130, 257, 520, 900)
ROUNDS = 3
MOST = 300
COUNTS = (1, 1, 1, 2, 3, 4, 5, 16, 33, 64, 127, 256, MOST)
WINDOWS = (None, 1, 24, 512, 600)
EXACT = pytest.mark.skipif(
    not torch.backends.mkl.is_available(), reason="torch has no MKL here, whose order of sums this is about"
)


def batch_of(name: str, place: Path, **changes: Any) -> Batch:
    engine = open_runner(build(name.split()[0], place / name, **changes))._engine
    assert isinstance(engine, Batch)
    return engine


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    return batch_of("Llama", tmp_path_factory.mktemp("exact"))


def text(chance: random.Random, length: int) -> list[int]:
    return [chance.randrange(5, 200) for _ in range(length)]


def stored(slot: Slot) -> list[Any]:
    """Keys and values of what has been read, of all layers."""
    return [part for views in slot.views(0, slot.read) for part in views]


def same(ones: Sequence[Any], others: Sequence[Any]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(ones, others, strict=True))


def whole(batch: Batch, ids: list[int]) -> tuple[Slot, Any]:
    """A text read at once and alone, and its logits (tokens, vocabulary)."""
    slot = batch.apart(ids)
    logits = batch.read([Piece(slot, len(ids))], every=True)
    slot.read = len(ids)
    return slot, logits


def in_pieces(chance: random.Random, batch: Batch, slot: Slot) -> Iterator[tuple[int, Any]]:
    """Read a text in random pieces beside random others: ends of pieces and the logits there, or those of
    all their tokens."""
    while slot.unread:
        own = Piece(slot, min(slot.unread, chance.choice(COUNTS)))
        pieces, every = [own], chance.random() < 0.5
        for _ in range(chance.choice((0, 0, 1, 2, 5))):
            other = batch.apart(text(chance, chance.choice((3, 9, 40))))
            count = chance.choice((1, 2, len(other.ids)))
            pieces.insert(chance.randrange(len(pieces) + 1), Piece(other, count))
        found = batch.read(pieces, every=every)
        rows = [piece.count if every else 1 for piece in pieces]
        mine = found.split(rows)[pieces.index(own)]
        slot.read += own.count
        yield slot.read, mine


@EXACT
@pytest.mark.parametrize("name", MODELS)
def test_logits_are_the_same_bits_however_a_text_is_cut(tmp_path: Path, name: str):
    batch, chance = batch_of(name, tmp_path, **MODELS[name]), random.Random(name)
    for length in ROUNDS * LENGTHS:
        known, wanted = whole(batch, text(chance, length))
        slot = batch.apart(known.ids)
        for end, found in in_pieces(chance, batch, slot):
            assert torch.equal(found, wanted[end - len(found) : end]), (length, end)
        assert same(stored(slot), stored(known))


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@EXACT
@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("inner", [1000, 11008])
def test_threads_change_no_bit_where_the_forward_pass_is_written_out(tmp_path: Path, inner: int):
    batch, chance = batch_of("Llama", tmp_path, intermediate_size=inner), random.Random(5)
    assert isinstance(batch.reader, Lean)
    for length in (40, 82, 130, 232, 300):
        known, wanted = whole(batch, text(chance, length))
        slot = batch.apart(known.ids)
        for end, found in in_pieces(chance, batch, slot):
            assert torch.equal(found, wanted[end - len(found) : end]), (length, end)
        assert same(stored(slot), stored(known))


@pytest.mark.parametrize("threads", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("width", [96, 1000, 8192, 40000])
def test_threads_are_given_whole_rows(width: int, threads: int):
    for rows in range(1, 400):
        found = shared(rows, width, threads)
        assert rows <= found < rows + 2 * threads
        assert found % min(threads, -(-found * width // GRAIN)) == 0


@EXACT
@pytest.mark.parametrize("length", [10, 70, 300, 600])
def test_a_text_that_is_written_token_by_token_has_the_same_logits(llama: Batch, length: int):
    known, wanted = whole(llama, text(random.Random(length), length))
    slot, found = llama.apart(known.ids), []
    for _ in range(length):
        found.append(llama.read([Piece(slot, 1)]))
        slot.read += 1
    assert torch.equal(torch.cat(found), wanted)
    assert same(stored(slot), stored(known))


@EXACT
def test_what_was_kept_changes_no_bit(llama: Batch):
    """Texts that go on from each other: taken over, inherited, forked."""
    chance, said = random.Random(1), text(random.Random(2), 30)
    llama.kept, reused = Kept(8 << 20), 0
    for _ in range(25):
        turn = chance.random()
        said = (
            text(chance, 20) if turn < 0.1 else said[: chance.randint(8, len(said))] if turn < 0.5 else said
        )
        said = (said + text(chance, chance.choice((1, 5, 60, 200))))[:900]
        rows = llama.begin(said)
        reused += rows.reused
        while (logits := rows.advance()) is None:
            pass
        rows.keep([0, 0])
        rows.give(tokens := text(chance, 2))
        after = rows.take()
        rows.close()
        for token, row in zip(tokens, after, strict=True):
            plain = whole(llama, [*said, token])[1]
            assert torch.equal(torch.cat((logits, row[None])), plain[-2:])
    assert reused > 1000


@EXACT
@pytest.mark.parametrize(("heads", "groups", "width"), [(4, 2, 12), (9, 3, 64), (6, 6, 32), (4, 1, 128)])
@pytest.mark.parametrize("window", WINDOWS)
def test_attention_is_exact_and_that_of_torch(heads: int, groups: int, width: int, window: int | None):
    chance, total = random.Random(width), 1100
    torch.manual_seed(width)
    query = torch.randn(heads, total, width)
    keys, values = torch.zeros(2, 1, groups, exact.room(total), width)
    keys[:, :, :total], values[:, :, :total] = torch.randn(2, 1, groups, total, width)

    def read(start: int, end: int) -> Iterator[Any]:
        for cut in exact.cuts(start, end, window):
            seen, asked = slice(*cut.keys), query[:, start:end][:, cut.tokens]
            yield exact.attended(asked, keys[:, :, seen], values[:, :, seen], cut.mask, None)

    at_once, begin = torch.cat(list(read(0, total))), 0
    found: list[Any] = []
    while begin < total:
        end = min(total, begin + chance.choice(COUNTS))
        found += read(begin, end)
        begin = end
    assert torch.equal(torch.cat(found), at_once)
    plainly = torch.nn.functional.scaled_dot_product_attention(
        query[None],
        keys[:, :, :total],
        values[:, :, :total],
        attn_mask=hiding(range(total), range(total), window),
        enable_gqa=True,
    )
    torch.testing.assert_close(at_once, plainly[0].transpose(0, 1))


def test_rooms_are_blocks():
    assert [exact.room(tokens) for tokens in (1, 64, 65, 128, 129, 512, 513, 1024, 1025)] == [
        *(64, 64, 128, 128, 256, 512, 1024, 1024, 1536),
    ]


@pytest.mark.parametrize("window", WINDOWS)
def test_cuts_have_each_token_once_with_all_that_it_may_see(window: int | None):
    chance = random.Random(3)
    for _ in range(60):
        start = chance.choice((0, 1, 63, 64, 200, 256, 511, 700, chance.randrange(1500)))
        end = start + chance.choice((1, 2, 3, 5, 64, 65, chance.randint(1, 700)))
        begin = start
        for cut in exact.cuts(start, end, window):
            (first, last), count = cut.keys, cut.tokens.stop - cut.tokens.start
            assert cut.tokens.start == begin - start
            begin += count
            tokens = range(begin - count, begin)
            sees = [0 if window is None else max(0, token - window + 1) for token in tokens]
            assert first <= sees[0] < first + exact.BLOCK
            assert first % exact.BLOCK == 0
            assert last == exact.room(begin)
            # Where its keys end is a token's own block, or some whole ones later.
            assert all(last == exact.room(t + 1) or exact.room(t + 1) % exact.BLOCK == 0 for t in tokens)
            assert cut.mask.shape == (1 if count == 1 else count + -count % exact.ROWS, last - first)
            for row, token, begins in zip(cut.mask, tokens, sees, strict=False):
                assert (row == 0).nonzero()[[0, -1], 0].tolist() == [begins - first, token - first]
        assert begin == end


@pytest.mark.parametrize("window", [None, 1, 3, 50])
@pytest.mark.parametrize(
    ("at", "seen"), [(range(9), range(9)), (range(5, 8), range(40)), (range(7, 8), range(4, 9))]
)
def test_a_token_sees_itself_and_what_is_before_it(at: range, seen: range, window: int | None):
    found = hiding(at, seen, window, dtype=torch.float64)
    for row, token in zip(found.tolist(), at, strict=True):
        for value, other in zip(row, seen, strict=True):
            may = other <= token and (window is None or token - other < window)
            assert value == (0 if may else float("-inf"))
    assert found.dtype == torch.float64


def test_numbers_of_a_text_that_was_given_up_reach_nobody(tmp_path: Path):
    """Its tokens gave no numbers at all; who goes on from its beginning has its room."""
    batch, bad = batch_of("Llama", tmp_path), 9
    ids = [token for token in text(random.Random(4), 50) if token != bad]
    wanted = [whole(batch, [*ids, 11][: len(ids) + more])[1][-1:] for more in (0, 1)]
    rows = batch.begin(ids)
    torch.testing.assert_close(rows.advance(), wanted[0])
    with torch.no_grad():
        batch._model.get_input_embeddings().weight[bad] = float("nan")
    for _ in range(4):
        rows.give([bad])
        assert rows.take().isnan().all()
    rows.close()
    rows = batch.begin([*ids, 11])
    assert rows.reused == len(ids)
    assert len(batch.kept) == 0  # nothing was copied
    torch.testing.assert_close(rows.advance(), wanted[1])


@pytest.mark.parametrize("grown", [False, True])
def test_an_inherited_room_is_empty_behind_what_is_inherited(grown: bool):
    shape = Shape(layers=2, heads=1, key=3, value=5, dtype=torch.float32, device="cpu")
    one, other, third = (Slot(shape, range(40)) for _ in range(3))
    with torch.inference_mode():
        one.reserve(40)
        for part in (*one.views(0, 40)[0], *one.views(0, 40)[1]):
            part.fill_(float("nan"))
        one.read = 10  # what is behind was given up while it was read
        for part in (*one.views(0, 10)[0], *one.views(0, 10)[1]):
            part.fill_(1)
        other.inherit(one, 8)
        other.reserve(100 if grown else 20)
        third.take(other, 8)
        for slot in (other, third):
            for part in (*slot.views(0, 64)[0], *slot.views(0, 64)[1]):
                assert part[:, :, :8].eq(1).all()
                assert part[:, :, 8:].eq(0).all()


def test_other_types_and_devices_have_what_they_had():
    assert Shape(1, 1, 1, 1, torch.float32, torch.device("cpu")).exact
    assert not Shape(1, 1, 1, 1, torch.bfloat16, "cpu").exact
    assert not Shape(1, 1, 1, 1, torch.float32, "cuda").exact
