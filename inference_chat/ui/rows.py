"""What was found in many pictures, as rows of a table: one for the page, one to take away."""

from collections.abc import Sequence
from typing import Any

from ..outputs import Output
from ..schema import JSON

EDGES = ("xmin", "ymin", "xmax", "ymax")
PLACE = "box"
WIDTHS = {
    2: ("40%", "60%"),
    3: ("210px", "210px", "100px"),
    4: ("176px", "124px", "76px", "150px"),
}
"""Of a table with so many columns; by themselves the first would take most of a narrow place."""
Row = dict[str, Any]


def rows_of(name: str, output: Output, names: Sequence[str]) -> list[Row]:
    """The rows of the picture `name`: one for each label, else one; `names` are all pictures, in order."""
    if isinstance(output, list):
        return [_found(name, item) for item in output] or [{"picture": name, "label": "nothing found"}]
    if "similar" in output:
        nearest = [{"most like it": _named(one["label"], names), **_score(one)} for one in output["similar"]]
        return [{"picture": name, **(nearest[0] if nearest else {"most like it": "no other picture"})}]
    if "text" in output:
        return [{"picture": name, "answer": output["text"]}]
    return [{"picture": name, "result": ", ".join(output)}]


def columns_of(rows: Sequence[Row]) -> list[str]:
    """The names of all columns, in the order of their first use."""
    return list(dict.fromkeys(column for row in rows for column in row))


def table_of(rows: Sequence[Row]) -> JSON:
    """The rows for the page, as headers and cells: a box takes one column there."""
    narrow = [_narrowed(row) for row in rows]
    columns = columns_of(narrow)
    return {"headers": columns, "data": [[row.get(column) for column in columns] for row in narrow]}


def _found(name: str, item: JSON) -> Row:
    box = {edge: round(value) for edge, value in (item.get("box") or {}).items()}
    return {"picture": name, "label": item["label"], **_score(item), **box}


def _score(item: JSON) -> Row:
    return {"score": round(item["score"], 4)} if item.get("score") is not None else {}


def _named(label: str, names: Sequence[str]) -> str:
    """The name of `picture 2`, as outputs call it."""
    return names[int(label.rpartition(" ")[2]) - 1]


def _narrowed(row: Row) -> Row:
    rest = {column: value for column, value in row.items() if column not in EDGES}
    if EDGES[0] in row:
        left, top, right, bottom = (row[edge] for edge in EDGES)
        rest[PLACE] = f"{left}, {top} – {right}, {bottom}"
    return rest
