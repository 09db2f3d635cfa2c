"""Models of the Hugging Face hub, fetched once and kept."""

from pathlib import Path

from ..errors import InvalidModel, UnsafeModel
from ..registry.catalog import ModelRecord

WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "README.md"]


def fetched(record: ModelRecord, cache: Path | None) -> bool:
    """Whether a hub model's config is on this machine, and so most likely the rest of it."""
    from huggingface_hub import try_to_load_from_cache

    name = record.hub_id or record.name
    files = ("config.json", "model_index.json")
    return any(
        isinstance(try_to_load_from_cache(name, file, cache_dir=cache, revision=record.revision), str)
        for file in files
    )


def download(record: ModelRecord, cache: Path | None) -> Path:
    """The folder of a hub model; files that are here already are not fetched again.

    Interrupted downloads go on where they stopped. Raises `InvalidModel` when the hub cannot be reached
    or does not have it, `UnsafeModel` when it has no safetensors weights.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    name = record.hub_id or record.name
    try:
        folder = Path(
            snapshot_download(name, revision=record.revision, cache_dir=cache, allow_patterns=WANTED)
        )
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError, OSError) as error:
        if isinstance(error, HfHubHTTPError):
            raise InvalidModel(f"The hub has no {name} for this account: {type(error).__name__}.") from error
        raise InvalidModel(
            f"{name} is not on this machine and the hub cannot be reached; "
            "go online once, or register a folder."
        ) from error
    if not any(folder.glob("*.safetensors")):
        raise UnsafeModel(f"{name} offers no safetensors weights; other formats can run code when opened.")
    return folder
