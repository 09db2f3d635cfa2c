"""A finished comparison as a document to take away: a page of its own (HTML), or a table (CSV).

Both take the answer of `Comparison.answer`, and need nothing from elsewhere.
"""

import csv
import io
import json
from collections.abc import Iterator
from html import escape
from typing import Any

from ..schema import JSON

COLUMNS = (
    ("model", "Model"),
    ("status", "Status"),
    ("latency_ms", "Latency (ms)"),
    ("first_token_ms", "First token (ms)"),
    ("tokens_per_second", "Tokens/s"),
    ("compute_ms", "Own work (ms)"),
    ("load_ms", "Loading (ms)"),
    ("energy_j", "Energy (J)"),
    ("energy", "Energy is"),
    ("tokens", "Tokens"),
    ("memory", "Memory (bytes)"),
    ("size", "Size (bytes)"),
    ("license", "Licence"),
    ("error", "Error"),
)
STYLE = """
body { font: 15px/1.55 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
body { color-scheme: light dark; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } td:first-child { white-space: nowrap; font-weight: 600; }
th, td { padding: .4rem .7rem; text-align: left; border-bottom: 1px solid #8886; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .8rem; background: #8882; border-radius: 8px; }
section { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1rem; }
img, video, audio { max-width: 100%; } ins { background: #2a82; } del { background: #a222; }
"""
TAGS = {"same": "span", "removed": "del", "added": "ins"}


def as_csv(answer: JSON) -> str:
    """The table, a row for each model, and what each answered in words."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([*(name for name, _ in COLUMNS), "answer"])
    for row, told in zip(answer["table"], answer["results"], strict=True):
        writer.writerow([*(_safe(row.get(name)) for name, _ in COLUMNS), _safe(_plain(told))])
    return file.getvalue()


def as_json(answer: JSON) -> str:
    """All of it, for programs."""
    return json.dumps(answer, ensure_ascii=False, indent=1)


def as_html(answer: JSON) -> str:
    """A page with the figures, every answer and the differences; it shows without a network."""
    parts = [
        f"<h1>Comparison: {escape(answer['task'])}</h1>",
        *(f"<p>{escape(note)}</p>" for note in answer["notes"] if note),
        _table(answer["table"]),
        "<h2>Answers</h2><section>",
        *(f"<article><h3>{escape(told['model'])}</h3>{_shown(told)}</article>" for told in answer["results"]),
        "</section>",
        *_differences(answer["agreement"]),
    ]
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Comparison</title>'
    return f"{head}<style>{STYLE}</style>" + "\n".join(parts) + "</html>\n"


def _table(rows: list[JSON]) -> str:
    used = [column for column in COLUMNS if any(row.get(column[0]) for row in rows)]
    head = "".join(f"<th scope='col'>{title}</th>" for _, title in used)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(row.get(name)))}</td>" for name, _ in used) + "</tr>"
        for row in rows
    )
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _shown(told: JSON) -> str:
    """One answer for the eye: its files are shown, the rest is text."""
    if "error" in told:
        return f"<p><strong>{escape(told['error'].get('detail', 'It failed.'))}</strong></p>"
    output = told["result"]["output"]
    files = "".join(_files(output))
    text = output.get("text") if isinstance(output, dict) else None
    rest = (
        text
        if isinstance(text, str) and text
        else json.dumps(_without_files(output), indent=1, ensure_ascii=False)
    )
    return files + (f"<pre>{escape(rest)}</pre>" if rest not in ("{}", "[]") or not files else "")


def _files(value: Any) -> Iterator[str]:
    """What an output holds as `data:` URLs, as elements that show it."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _files(inner)
    elif isinstance(value, str) and value.startswith("data:image/"):
        yield f'<img alt="" src="{escape(value)}">'
    elif isinstance(value, str) and value.startswith(("data:video/", "data:audio/")):
        tag = value[5:10]
        yield f'<{tag} controls src="{escape(value)}"></{tag}>'


def _without_files(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_files(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_files(inner) for inner in value]
    return "(file)" if isinstance(value, str) and value.startswith("data:") else value


def _differences(pairs: list[JSON]) -> Iterator[str]:
    if pairs:
        yield "<h2>Differences</h2>"
    for pair in pairs:
        yield f"<h3>{escape(' and '.join(pair['models']))}</h3><p>{escape(pair['say'])}</p>"
        if pieces := pair.get("pieces"):
            marked = (f"<{TAGS[op]}>{escape(text)}</{TAGS[op]}>" for op, text in pieces)
            yield f"<pre>{''.join(marked)}</pre>"


def _plain(told: JSON) -> str:
    if "error" in told:
        return ""
    output = told["result"]["output"]
    text = output.get("text") if isinstance(output, dict) else None
    return text if isinstance(text, str) else json.dumps(_without_files(output), ensure_ascii=False)


def _safe(value: object) -> object:
    """A cell that a spreadsheet takes for a text, not for a formula."""
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
        else value
    )
