"""The tables of README.md, made from the code. `python -m tests.tables` writes them anew."""

from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from inference_chat import errors
from inference_chat.api.errors import STATUS
from inference_chat.runners import OPTIONS
from inference_chat.settings import Settings, variables

README = Path(__file__).parent.parent / "README.md"
HIDDEN = {"space_id"}


def settings() -> str:
    """Every variable, its default and what it means."""
    rows = [
        f"| {', '.join(f'`{name}`' for name in variables(field))} | {_default(info.default)} | "
        f"{info.description}{_choices(info.annotation)} |"
        for field, info in Settings.model_fields.items()
        if field not in HIDDEN
    ]
    return "\n".join(["| variable | default | |", "|---|---|---|", *rows])


def codes() -> str:
    """Every error code with its HTTP status."""
    first: dict[str, tuple[int, str]] = {}
    for error, status in STATUS.items():
        if error not in (errors.InferenceChatError, errors.NotFound, errors.TryLater, errors.SettingsError):
            first.setdefault(error.code, (status.value, str(error.__doc__)))
    rows = [f"| {status} | `{code}` | {when} |" for code, (status, when) in _by_status(first)]
    return "\n".join(["| status | code | when |", "|---|---|---|", *rows])


def tasks() -> str:
    """Every task with what it takes; parameters are those of its runner."""
    rows = [f"| `{task}` | {_parameters(options)} |" for task, options in OPTIONS.items()]
    return "\n".join(["| task | parameters |", "|---|---|", *rows])


def written(text: str) -> str:
    """`text` with every table between its two marks as the code has it now."""
    for name, make in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        text = f"{before}{start}{make()}\n{end}{rest.partition(end)[2]}"
    return text


TABLES: dict[str, Callable[[], str]] = {"settings": settings, "errors": codes, "tasks": tasks}


def _by_status(table: dict[str, tuple[int, str]]) -> list[tuple[str, tuple[int, str]]]:
    return sorted(table.items(), key=lambda item: (item[1][0], item[0]))


def _parameters(options: Any) -> str:
    return ", ".join(f"`{name}`" for name in options.model_fields)


def _default(value: object) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Path):
        value = f"./{value.relative_to(README.parent) if value.is_absolute() else value}"
    return f"`{value}`"


def _choices(annotation: object) -> str:
    """The allowed words of a setting that has a closed set of them."""
    if get_origin(annotation) is Literal:
        return " One of " + ", ".join(f"`{word}`" for word in get_args(annotation)) + "."
    if get_origin(annotation) in (Union, UnionType):
        return "".join(_choices(part) for part in get_args(annotation))
    return ""


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
