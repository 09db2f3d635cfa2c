"""Whether a model needs code of its own, which is never executed here; told by its config alone."""

from typing import Any


def needs_code(config: dict[str, Any]) -> bool:
    """Whether a config names code that comes with the model, and this version has no such model itself."""
    if not config.get("auto_map"):
        return False
    from transformers.models.auto.configuration_auto import (  # type: ignore[attr-defined]
        CONFIG_MAPPING_NAMES,
    )

    return config.get("model_type") not in CONFIG_MAPPING_NAMES
