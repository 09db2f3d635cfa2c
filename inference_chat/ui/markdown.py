"""Markdown as safe HTML, block by block, so that a growing answer is not rendered from its start again.

HTML in a text is shown as text, links open apart and pictures become links: a message never runs a
script and never makes the browser fetch anything.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

MAX_HIGHLIGHTED = 50_000  # characters of one code block; more is shown plain, as colouring is slow
MAX_RENDERED = 200_000  # characters of one message; more is shown as plain text
_NEWLINE = re.compile(r"\r\n?")
LINK = {"target": "_blank", "rel": "noopener noreferrer nofollow"}


class Growing:
    """The blocks of a text that only grows; each finished block is rendered once."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self._start = 0

    def blocks(self, text: str) -> list[str]:
        """All blocks of `text`, which begins with what was given before."""
        text = _NEWLINE.sub("\n", text)
        tail = text[self._start :]
        groups = _groups(tail)
        self.finished += [_html(group) for group in groups[:-1]]
        if len(groups) > 1:
            self._start += _offset(tail, _line(groups[-1]))
        return self.finished + [_html(group, colours=False) for group in groups[-1:]]


@lru_cache(maxsize=2048)
def render(text: str, *, breaks: bool = True) -> tuple[str, ...]:
    """The blocks of a whole text as HTML; `breaks=False` where lines end only because they were full."""
    if len(text) > MAX_RENDERED:
        return (f'<p class="ic-plain">{escape(text)}</p>',)
    return tuple(_html(group, breaks=breaks) for group in _groups(text))


def _groups(text: str) -> list[list[Token]]:
    """The tokens of each outermost block."""
    groups: list[list[Token]] = []
    depth = 0
    for token in _MARKDOWN.parse(text):
        if depth == 0:
            groups.append([])
        groups[-1].append(token)
        depth += token.nesting
    return groups


def _html(group: Sequence[Token], *, colours: bool = True, breaks: bool = True) -> str:
    env: EnvType = {"colours": colours, "breaks": breaks}
    return str(_MARKDOWN.renderer.render(group, _MARKDOWN.options, env))


def _line(group: Sequence[Token]) -> int:
    return group[0].map[0] if group[0].map else 0


def _offset(text: str, line: int) -> int:
    """Where line number `line` begins."""
    position = 0
    for _ in range(line):
        position = text.index("\n", position) + 1
    return position


def _code(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    language = token.info.split()[0] if token.info.strip() else ""
    body = _coloured(token.content, language) if env.get("colours") else escape(token.content)
    return (
        f'<div class="ic-code"><div class="ic-code-head"><span>{escape(language or "text")}</span>'
        '<button type="button" data-do="copy-code" aria-label="Copy this code">Copy</button></div>'
        f'<pre tabindex="0" dir="ltr"><code>{body}</code></pre></div>\n'
    )


def _coloured(code: str, language: str) -> str:
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return escape(code)
    return highlight(code, lexer, _FORMATTER) if len(code) <= MAX_HIGHLIGHTED else escape(code)


def _math(latex: str, *, display: bool) -> str:
    """MathML, which browsers draw themselves; what cannot be converted is shown as it was written."""
    try:
        markup: str = convert(latex, display="block" if display else "inline")
    except Exception:  # noqa: BLE001  the converter raises whatever a malformed formula leads it to
        markup = ""
    safe = markup and "href" not in markup
    return markup if safe else f"<code>{escape(latex)}</code>"


def _formula(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    html = _math(token.content.strip(), display=token.type.startswith("math_block") or "$$" in token.markup)
    return f'<div class="ic-math" dir="ltr">{html}</div>' if token.block else html


def _image(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    url, attributes = str(token.attrs.get("src", "")), " ".join(f'{k}="{v}"' for k, v in LINK.items())
    if not url.startswith(("http://", "https://")):
        return escape(token.content or "image")
    return f'<a href="{escape(url)}" {attributes}>{escape(token.content or url)}</a>'


def _soft(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return "<br />\n" if env.get("breaks", True) else "\n"


def _link(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    for name, value in LINK.items():
        tokens[index].attrSet(name, value)
    return self.renderToken(tokens, index, options, env)


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    markdown.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    markdown.use(texmath_plugin, delimiters="brackets")
    for rule in ("fence", "code_block"):
        markdown.add_render_rule(rule, _code)
    for rule in ("math_inline", "math_inline_double", "math_block", "math_block_label", "math_block_eqno"):
        markdown.add_render_rule(rule, _formula)
    markdown.add_render_rule("softbreak", _soft)
    markdown.add_render_rule("image", _image)
    markdown.add_render_rule("link_open", _link)
    return markdown


_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)
_MARKDOWN = _markdown()
