"""Markdown: safe whatever is in it, and the same whether it came at once or bit by bit."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.ui.markdown import MAX_RENDERED, Growing, render

PIECES = [
    "# Title\n",
    "text **bold** ",
    "\n\n",
    "- item\n",
    "1. one\n",
    "```py\nx = 1\n```\n",
    "> said\n",
    "$x^2$ ",
]
PIECES += [
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "$$\ny\n$$\n",
    "<b>",
    "\n",
    "   ",
    "---\n",
    "\r\n",
    "مرحبا 🎈",
]
HOSTILE = [
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](javascript:alert(1))",
    "<img onerror=x>",
]
HOSTILE += [
    "$\\href{javascript:alert(1)}{x}$",
    "```<b>\n</code><script>\n```",
    "![x](http://a/b.png)",
    '[x](http://a"onclick=x)',
]
texts = st.lists(st.sampled_from(PIECES + HOSTILE) | st.text(max_size=8)).map("".join)


class Seen(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


@given(texts)
def test_no_text_becomes_a_script_or_fetches_anything(text: str):
    seen = Seen("".join(render(text)))
    assert not seen.tags & {"script", "img", "iframe", "style", "object", "form", "input"}
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name == "src"]
    links = [value or "" for name, value in seen.attributes if name == "href"]
    assert not [link for link in links if link.lower().startswith(("javascript:", "data:", "vbscript:"))]


@given(st.lists(st.sampled_from(PIECES[:-2])))
def test_finished_blocks_do_not_change_while_a_text_grows(pieces: list[str]):
    growing, text = Growing(), ""
    before: list[str] = []
    for piece in pieces:
        text += piece
        growing.blocks(text)
        assert growing.finished[: len(before)] == before
        before = list(growing.finished)


def test_a_grown_text_looks_as_if_it_came_at_once():
    text = "".join(f"{piece}\n\n" for piece in PIECES[:10])
    growing = Growing()
    for end in range(len(text)):
        growing.blocks(text[:end])
    assert growing.blocks(text)[:-1] == list(render(text))[:-1]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a **b**", "<strong>b</strong>"),
        ("$x^2$", "<msup>"),
        (r"\(x^2\)", "<msup>"),
        ("$$\n\\frac12\n$$", "<mfrac>"),
        ("```python\ndef f(): ...\n```", 'class="k">def'),
        ("| a |\n|---|\n| 1 |", "<table>"),
        ("one\ntwo", "<br"),
        ("costs $5 or $6", "costs $5 or $6"),
        ("[a](https://example.org)", 'rel="noopener noreferrer nofollow"'),
    ],
)
def test_renders(text: str, html: str):
    assert html in "".join(render(text))


def test_a_huge_text_is_shown_plain():
    assert len(render("*a* " * MAX_RENDERED)) == 1


def test_lines_of_a_file_that_end_because_they_were_full_are_one():
    assert "<br" in "".join(render("one\ntwo"))
    assert "".join(render("one\ntwo", breaks=False)) == "<p>one\ntwo</p>\n"
    assert "<br" in "".join(render("one  \ntwo", breaks=False))
