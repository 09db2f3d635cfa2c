"""Pieces of text join to the whole, whatever the tokenizer and wherever the pieces are cut."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.runners.detokenize import REPLACEMENT, Detokenizer, StopStrings
from tests import tiny

Decode = Callable[[Sequence[int]], str]
SCRIPTS = st.sampled_from(
    [
        "the",
        " ",
        "  ",
        "\n",
        "é",
        "e\u0301",
        "日本語",
        "שלום",
        "مرحبا",
        "👩‍👩‍👧",
        "🇩🇪",
        "👍🏽",
        "ﷺ",
        "\U0001d518",
        "ñ",
        "a",
        ".",
    ]
)
TEXTS = st.one_of(st.lists(SCRIPTS).map("".join), st.text(max_size=30))


def metaspace_tokenizer():
    """A tokenizer in the manner of sentencepiece: `▁` for spaces, bytes for characters it does not know."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    letters = "▁abcdefghijklmnopqrstuvwxyzé.語"
    words = ["<unk>", *(f"<0x{i:02X}>" for i in range(256)), *letters, "▁t", "th", "▁th", "▁the"]
    merges = [("▁", "t"), ("t", "h"), ("▁t", "h"), ("▁th", "e")]
    inner = Tokenizer(
        models.BPE({word: i for i, word in enumerate(words)}, merges, unk_token="<unk>", byte_fallback=True)
    )
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>")


@lru_cache
def tokenizer(kind: str):
    return metaspace_tokenizer() if kind == "metaspace" else tiny._tokenizer(256)


def decoder(kind: str) -> Decode:
    return lambda ids: tokenizer(kind).decode(
        list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
    )


def pieces(decode: Decode, ids: Sequence[int], context: Sequence[int] = ()) -> list[str]:
    text = Detokenizer(decode, context)
    return [*(text.push(token) for token in ids), text.flush()]


both = pytest.mark.parametrize("kind", ["bytes", "metaspace"])


@both
@given(text=TEXTS)
def test_pieces_join_to_the_text(kind: str, text: str):
    ids = tokenizer(kind)(text)["input_ids"]
    assert "".join(pieces(decoder(kind), ids)) == decoder(kind)(ids) == text


@both
@given(text=TEXTS.filter(lambda text: REPLACEMENT not in text))
def test_no_piece_shows_half_a_character(kind: str, text: str):
    ids = tokenizer(kind)(text)["input_ids"]
    assert REPLACEMENT not in "".join(pieces(decoder(kind), ids)[:-1])


@given(ids=st.lists(st.integers(0, 267), max_size=40))
def test_any_tokens_at_all_join_to_their_decoding(ids: list[int]):
    assert "".join(pieces(decoder("bytes"), ids)) == decoder("bytes")(ids)


@both
@given(begun=TEXTS.filter(str.strip), rest=TEXTS)
def test_a_continued_text_is_joined_without_losing_a_space(kind: str, begun: str, rest: str):
    ids = tokenizer(kind)(begun + rest)["input_ids"]
    known = len(tokenizer(kind)(begun)["input_ids"])
    start = decoder(kind)(ids[:known])
    if begun + rest == start + decoder(kind)(ids)[len(start) :]:  # else a character lies on the border
        assert start + "".join(pieces(decoder(kind), ids[known:], ids[:known])) == begun + rest


def test_an_open_character_waits_for_its_last_byte():
    ids = tokenizer("bytes")("é!")["input_ids"]
    assert pieces(decoder("bytes"), ids) == ["", "é", "!", ""]


def test_an_unfinished_character_is_shown_at_the_end():
    ids = tokenizer("bytes")("aé")["input_ids"]
    assert pieces(decoder("bytes"), ids[:-1]) == ["a", "", REPLACEMENT]


def test_peeking_takes_nothing():
    (first, last) = tokenizer("bytes")("ab")["input_ids"]
    text = Detokenizer(decoder("bytes"))
    text.push(first)
    assert [text.peek(last), text.peek(last), text.push(last)] == ["b", "b", "b"]


# --- stop strings -------------------------------------------------------------------------------

LETTERS = st.text("ab", max_size=12)


def cut(text: str, stops: Sequence[str]) -> str | None:
    """The text before the stop string that is complete first; None when there is none."""
    for end in range(len(text) + 1):
        if ending := [stop for stop in stops if text[:end].endswith(stop)]:
            return text[: end - max(map(len, ending))]
    return None


@given(parts=st.lists(LETTERS), stops=st.lists(st.text("ab", min_size=1, max_size=5), max_size=4))
def test_the_text_ends_before_the_first_stop_string(parts: list[str], stops: list[str]):
    seen = StopStrings(stops)
    shown = "".join(seen.push(part) for part in parts) + seen.flush()
    wanted = cut("".join(parts), stops)
    assert seen.hit == (wanted is not None)
    assert shown == ("".join(parts) if wanted is None else wanted)


@given(parts=st.lists(LETTERS), stops=st.lists(st.text("ab", min_size=1, max_size=5), max_size=4))
def test_nothing_of_a_stop_string_is_ever_shown(parts: list[str], stops: list[str]):
    seen, shown = StopStrings(stops), ""
    wanted = cut("".join(parts), stops)
    for part in parts:
        shown += seen.push(part)
        assert ("".join(parts) if wanted is None else wanted).startswith(shown)


def test_only_what_may_become_a_stop_string_is_held_back():
    seen = StopStrings(["END"])
    assert [seen.push("the E"), seen.push("N"), seen.push("E"), seen.flush()] == ["the ", "", "EN", "E"]
