"""The settings panel of a model, drawn from its runner's `Options`.

A description becomes the hint, two bounds a slider, a closed set of values a list to choose from; a
field that may be `None` can be left unset. What the page sends back is validated by `Options` itself.
"""

from typing import Any

from ..schema import JSON, Options

LABELS = {"n": "How many", "fps": "Frames per second", "iou": "IoU", "num_frames": "Frames"}


def controls(
    options: type[Options], defaults: JSON, leave_out: frozenset[str] = frozenset(), *, voiced: bool = False
) -> list[JSON]:
    """One control for each field; `defaults` are the model's own and come before those of the class.

    Those of a voice are for models that are `voiced`.
    """
    schema = options.model_json_schema()
    return [
        control(name, spec, defaults.get(name, spec.get("default")))
        for name, spec in schema.get("properties", {}).items()
        if name not in leave_out and not spec.get("x-programs") and (voiced or not spec.get("x-voiced"))
    ]


def control(name: str, spec: JSON, default: Any) -> JSON:
    """The control of one field, from its JSON schema."""
    kinds = [kind for kind in spec.get("anyOf", [spec]) if kind.get("type") != "null"]
    kind = kinds[0]
    least, most = kind.get("minimum", kind.get("exclusiveMinimum")), kind.get("maximum")
    most = most if most is not None else kind.get("exclusiveMaximum")
    return {
        "name": name,
        "label": _label(name),
        "info": spec.get("description", ""),
        "kind": _kind(kind, least, most),
        "min": least,
        "max": most,
        "step": 1 if kind.get("type") == "integer" else 0.01,
        "choices": kind.get("enum", []),
        "optional": len(kinds) < len(spec.get("anyOf", [spec])),
        "default": default,
    }


def _label(name: str) -> str:
    """What a parameter is called on the page, with its unit where its name has one."""
    words = name.removesuffix("_s").replace("_", " ").capitalize()
    return LABELS.get(name, f"{words} (s)" if name.endswith("_s") else words)


def _kind(kind: JSON, least: float | None, most: float | None) -> str:
    if "enum" in kind:
        return "choice"
    match kind.get("type"):
        case "boolean":
            return "checkbox"
        case "array":
            return "list"
        case "integer" | "number" if least is not None and most is not None and most - least <= 1e6:
            return "slider"
        case "integer" | "number":
            return "number"
        case _:
            return "text"
