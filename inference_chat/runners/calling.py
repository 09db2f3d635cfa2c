"""How models write calls of tools: found in their chat templates, forced by a grammar, read as they come."""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .grammar import json_rule
from .tools import Tool

TEXT = r"TEXT: /(.|\n)*/"
MOST = 16
"""Calls that one answer is made to hold at most."""

NO_OBJECT = r"TEXT: /([^\s{\[](.|\n)*)?/"


@dataclass(frozen=True)
class Format:
    """The way of one family of models.

    A message's calls begin with `opens` and end with `closes`; each is `begins`, the name, `between`, the
    arguments, `ends`. `marks` are the texts of it that may be special tokens. `id_length` is that of ids
    that its templates take.
    """

    opens: str
    begins: str
    between: str
    ends: str
    joins: str
    closes: str = ""
    marks: tuple[str, ...] = ()
    id_length: int = 24

    @property
    def mark(self) -> str:
        """What tells a call from other text; empty where a call is a bare object."""
        return self.marks[0] if self.opens else ""


TAGGED = Format(
    opens="<tool_call>",
    begins='\n{"name": "',
    between='", "arguments": ',
    ends="}\n</tool_call>",
    joins="\n<tool_call>",
    marks=("<tool_call>", "</tool_call>"),
)
LISTED = Format(
    opens="[TOOL_CALLS]",
    begins='{"name": "',
    between='", "arguments": ',
    ends="}",
    joins=", ",
    closes="]",
    marks=("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"),
    id_length=9,
)
NAMED = Format(
    opens="[TOOL_CALLS]",
    begins="",
    between="[ARGS]",
    ends="",
    joins="[TOOL_CALLS]",
    marks=("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"),
    id_length=9,
)
BARE = Format(
    opens="",
    begins='{"name": "',
    between='", "arguments": ',
    ends="}",
    joins="; ",
    marks=("<|python_tag|>",),
)
LLAMA = Format(
    opens="",
    begins='{"name": "',
    between='", "parameters": ',
    ends="}",
    joins="; ",
    marks=("<|python_tag|>",),
)

SIGNS: tuple[tuple[str, Format], ...] = (
    ("<tool_call>", TAGGED),
    ("[ARGS]", NAMED),
    ("[TOOL_CALLS]", LISTED),
    ("<|python_tag|>", LLAMA),
    ('"parameters": ', LLAMA),
)
"""What a template has in it, and the format that it then stands for: Hermes and Qwen, Mistral, Llama 3."""


def format_of(template: str) -> Format | None:
    """The format of a chat template; None where it knows no tools."""
    from jinja2 import meta
    from jinja2.exceptions import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"])
    bare = template.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    try:
        takes_tools = "tools" in meta.find_undeclared_variables(environment.parse(bare))
    except TemplateError:
        takes_tools = "tools" in template
    if not takes_tools:
        return None
    return next((found for sign, found in SIGNS if sign in template), BARE)


def template_of(templates: Any) -> str:
    """The chat template that is used when there are tools, of a tokenizer or processor; empty without one."""
    found = templates.chat_template or ""
    if isinstance(found, dict):
        found = found.get("tool_use") or found.get("default") or ""
    return str(found)


def new_call_id(form: Format) -> str:
    """A fresh id, of letters and digits only where templates ask for it."""
    short = form.id_length < 24
    return secrets.token_hex(5)[: form.id_length] if short else f"call_{secrets.token_hex(12)}"


def grammar_of(
    form: Format,
    tools: Sequence[Tool],
    literal: Callable[[str], str],
    *,
    forced: bool,
    parallel: bool,
    otherwise: str | None,
) -> str:
    """The grammar of an answer that calls `tools`: always when `forced`, else free text may stand there.

    `literal` writes a text as part of a rule. `otherwise` is the rule of what may be written instead.
    """
    calls = " | ".join(f"call_{number}" for number in range(len(tools)))
    more = f"({_rule(form, form.joins, literal)} ({calls})){{0,{MOST - 1}}}" if parallel else ""
    tail = f"({calls}) {more} {_rule(form, form.closes, literal)}"
    lines = ["%llguidance {}"]
    if forced:
        lines.append(f"start: {_rule(form, _opening(form), literal)} {tail}")
    elif otherwise:
        lines.append(f"start: {_rule(form, _opening(form), literal)} {tail} | {otherwise}")
    else:
        lines += _free(form, tail, literal)
    for number, tool in enumerate(tools):
        before = _before(form, tool, literal)
        lines.append(
            f"call_{number}: {before} args_{number} {_rule(form, form.ends, literal)}\n"
            f"args_{number}: {json_rule(tool.function.schema_, lenient=not tool.function.strict)}"
        )
    return "\n".join(lines) + "\n"


def _before(form: Format, tool: Tool, literal: Callable[[str], str]) -> str:
    """What a call begins with, up to its arguments, as part of a rule."""
    return _rule(form, f"{form.begins}{tool.function.name}{form.between}", literal)


def _opening(form: Format) -> str:
    return form.opens + ("[" if form.closes == "]" else "")


def _free(form: Format, tail: str, literal: Callable[[str], str]) -> list[str]:
    """Rules of free text that may end in calls."""
    if not form.opens:
        return [f"start: TEXT | {tail}", NO_OBJECT]
    rest = _rule(form, _opening(form).removeprefix(form.mark), literal)
    mark = literal(form.mark)
    if mark.startswith("<["):
        return [f"start: TEXT | TEXT {mark} {rest} {tail}", TEXT]
    return [f"start: TEXT | lead {rest} {tail}", f"lead[lazy]: TEXT {mark}", TEXT]


def _rule(form: Format, text: str, literal: Callable[[str], str]) -> str:
    """A text as part of a rule, with its marks apart."""
    parts: list[str] = []
    while text:
        found = [(at, mark) for mark in form.marks if (at := text.find(mark)) >= 0]
        at, mark = min(found) if found else (len(text), "")
        parts += [json.dumps(text[:at])] * bool(at) + [literal(mark)] * bool(mark)
        text = text[at + len(mark) :]
    return " ".join(parts)
