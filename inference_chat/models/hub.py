"""Models of the Hugging Face hub: found, and looked at before anything large is fetched."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..errors import HubUnavailable, InferenceChatError, InvalidModel, InvalidRequest, UnsafeModel
from ..registry.catalog import ModelRecord
from ..runners.checkpoint import INDEX, Checkpoint, Tensors, inspect
from ..runners.foreign import needs_code
from ..schema import JSON
from .described import of_checkpoint
from .repository import File, chosen, weights

SECONDS: Final = 10.0
"""How long the hub may take for one answer about a model."""
REMEMBERED: Final = 60.0
"""Seconds for which the newest look is not repeated: a check is followed by a registration and a download."""
SORTS: Final = {
    "downloads": "downloads",
    "likes": "likes",
    "trending_score": "trendingScore",
    "last_modified": "lastModified",
}
TOLD: Final = ("downloads", "likes", "pipeline_tag", "safetensors", "tags", "gated", "lastModified")
BYTES: Final = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2}


@dataclass(frozen=True)
class Offer:
    """A model as the hub has it, at one commit: what would be fetched, and what is known before that."""

    hub_id: str
    revision: str
    config: JSON
    files: tuple[File, ...]
    tensors: Tensors
    license: str | None
    downloads: int
    likes: int
    gated: bool

    @property
    def size(self) -> int:
        """Bytes of all the files that are fetched."""
        return sum(file.size for file in self.files)

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """As `inspect` would find it, with nothing on the disk yet."""
        return Checkpoint(Path(self.hub_id), self.config, (), self.tensors)

    def facts(self) -> JSON:
        """The fields of its record; raises `UnsafeModel`, `UnsupportedTask`."""
        if needs_code(self.config):
            raise UnsafeModel(
                f"{self.hub_id} needs code of its own to run, which is never executed here; choose a model "
                "that transformers knows."
            )
        told = of_checkpoint(self.checkpoint, digest=False)
        size = sum(file.size for file in weights(self.files))
        own = {"file_size": size, "hub_id": self.hub_id, "revision": self.revision, "license": self.license}
        return told | own | {"source": "hub"}


class Hub:
    """The hub, or a mirror of it that HF_ENDPOINT names; every method but `here` may block for seconds."""

    def __init__(self, cache: Path | None, endpoint: str | None = None) -> None:
        self.cache = cache
        self._known: dict[tuple[str, str | None], tuple[float, Offer]] = {}
        self._endpoint = endpoint

    def search(self, query: str, *, task: str | None = None, sort: str = "downloads", limit: int = 20) -> Any:
        """Models with safetensors weights whose id has these words; the most fetched first.

        Raises `InvalidRequest` for another order, `HubUnavailable`.
        """
        if sort not in SORTS:
            raise InvalidRequest(f"sort: one of {', '.join(SORTS)}")
        with _explained(query):
            return [_shown(one) for one in self._listed(query.strip(), task, sort, limit)]

    def look(self, hub_id: str, revision: str | None = None) -> Offer | None:
        """A model as it is there now; None when the hub cannot be reached.

        Raises `InvalidModel` where there is no such model, or none that can be loaded, and `UnsafeModel`.
        """
        known, told = self._known.get((hub_id, revision)) or (0.0, None)
        if told is not None and time.monotonic() - known < REMEMBERED:
            return told
        try:
            with _explained(hub_id):
                found = self._looked(hub_id, revision)
        except HubUnavailable:
            return None
        self._known = {(hub_id, revision): (time.monotonic(), found)}
        return found

    def here(self, hub_id: str, revision: str | None) -> Path | None:
        """The folder of a model that is on this machine, whole; asks nobody."""
        from huggingface_hub import try_to_load_from_cache

        for name in ("config.json", INDEX):
            found = try_to_load_from_cache(hub_id, name, cache_dir=self.cache, revision=revision)
            if isinstance(found, str):
                return _whole(Path(found).parent)
        return None

    @property
    def folder(self) -> Path:
        """Where models of the hub are kept."""
        from huggingface_hub import constants

        return Path(self.cache or constants.HF_HUB_CACHE).expanduser()

    def url(self, hub_id: str, revision: str, path: str) -> str:
        """Where a file of a model is fetched from."""
        return f"{self._api().endpoint}/{hub_id}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def _api(self) -> Any:
        from huggingface_hub import HfApi

        return HfApi(endpoint=self._endpoint)

    def _listed(self, query: str, task: str | None, sort: str, limit: int) -> list[Any]:
        """One page of the hub's list. Its client's own way tries again for half a minute when it is away."""
        from huggingface_hub import ModelInfo

        asked: JSON = {"filter": "safetensors", "sort": SORTS[sort], "limit": limit, "expand": list(TOLD)}
        asked |= {"search": query} if query else {}
        asked |= {"pipeline_tag": task} if task else {}
        found = self._get(f"{self._api().endpoint}/api/models", asked)
        if not isinstance(found, list):
            raise HubUnavailable("The hub answers with something else than models; try again later.", 30)
        return [ModelInfo(**({"siblings": None} | one)) for one in found]  # type: ignore[no-untyped-call]

    def _get(self, url: str, asked: JSON | None = None) -> Any:
        """JSON of the hub; None for what is no JSON. Raises what its client raises."""
        from huggingface_hub import get_session
        from huggingface_hub.utils._headers import build_hf_headers
        from huggingface_hub.utils._http import hf_raise_for_status

        answer = get_session().get(url, params=asked, headers=build_hf_headers(), timeout=SECONDS)
        hf_raise_for_status(answer)
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError):
            return None

    def _looked(self, hub_id: str, revision: str | None) -> Offer:
        api = self._api()
        info = api.model_info(hub_id, revision=revision, files_metadata=True, timeout=SECONDS)
        files = chosen(hub_id, [_file(one) for one in info.siblings or ()])
        card = info.card_data.to_dict() if info.card_data else {}
        license_ = card.get("license")
        return Offer(
            hub_id=hub_id,
            revision=info.sha,
            config=self._config(hub_id, info.sha, files),
            files=files,
            tensors=self._tensors(api, hub_id, info, files),
            license=license_ if isinstance(license_, str) else None,
            downloads=info.downloads or 0,
            likes=info.likes or 0,
            gated=bool(info.gated),
        )

    def _config(self, hub_id: str, revision: str, files: tuple[File, ...]) -> JSON:
        name = INDEX if any(file.path == INDEX for file in files) else "config.json"
        config = self._get(self.url(hub_id, revision, name))
        if not isinstance(config, dict):
            raise InvalidModel(f"The {name} of {hub_id} is not a JSON object; the model cannot be loaded.")
        return config

    def _tensors(self, api: Any, hub_id: str, info: Any, files: tuple[File, ...]) -> Tensors:
        """From what the hub has counted, else from the headers of the files."""
        counted = dict(info.safetensors.parameters) if info.safetensors else {}
        if not counted or any(file.path == INDEX for file in files):
            counted = {}
            for file in weights(files):
                header = api.parse_safetensors_file_metadata(hub_id, file.path, revision=info.sha)
                for dtype, number in header.parameter_count.items():
                    counted[dtype] = counted.get(dtype, 0) + number
        return Tensors(elements=sum(counted.values()), dtypes=frozenset(counted))


def hub_name(record: ModelRecord) -> str:
    """The id that a record of a hub model is known by over there."""
    return record.hub_id or record.name


def _file(sibling: Any) -> File:
    lfs = sibling.lfs
    return File(
        path=sibling.rfilename,
        size=int((lfs.size if lfs else sibling.size) or 0),
        sha256=lfs.sha256 if lfs else None,
        blob=(lfs.sha256 if lfs else sibling.blob_id) or "",
    )


def _whole(folder: Path) -> Path | None:
    try:
        inspect(folder)
    except InferenceChatError:
        return None
    return folder


def _shown(info: Any) -> JSON:
    counted = dict(info.safetensors.parameters) if info.safetensors else {}
    said = next((tag for tag in info.tags or () if tag.startswith("license:")), "")
    return {
        "hub_id": info.id,
        "task": info.pipeline_tag,
        "license": said.removeprefix("license:") or None,
        "downloads": info.downloads or 0,
        "likes": info.likes or 0,
        "gated": bool(info.gated),
        "parameters": sum(counted.values()) or None,
        "size": sum(number * BYTES.get(dtype, 1) for dtype, number in counted.items()) or None,
        "updated_at": info.last_modified.isoformat() if info.last_modified else None,
    }


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Inside, what the hub's client raises becomes an error of ours."""
    import httpx2
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        NotASafetensorsRepoError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
        SafetensorsParsingError,
    )

    try:
        yield
    except OfflineModeIsEnabled as error:
        raise HubUnavailable(
            "The hub is switched off here (HF_HUB_OFFLINE). Everything that is on this machine works.", 60
        ) from error
    except GatedRepoError as error:
        raise InvalidModel(
            f"{what} asks for its terms to be accepted: do so on its page, then set HF_TOKEN here."
        ) from error
    except RepositoryNotFoundError as error:
        raise InvalidModel(
            f"The hub has no {what[:96]!r}, or not for everybody: look at the spelling, or set HF_TOKEN."
        ) from error
    except RevisionNotFoundError as error:
        raise InvalidModel(f"{what} has no such revision; leave it out for the newest.") from error
    except (HFValidationError, NotASafetensorsRepoError, SafetensorsParsingError) as error:
        raise InvalidModel(
            f"{what[:96]!r} is no model that can be loaded: {type(error).__name__}."
        ) from error
    except HfHubHTTPError as error:
        if error.response.status_code in (400, 401, 403, 404):
            raise InvalidModel(f"The hub refuses {what[:96]!r} ({error.response.status_code}).") from error
        raise HubUnavailable(
            f"The hub answers {error.response.status_code}; try again later. Everything that is on this "
            "machine works.",
            30,
        ) from error
    except (httpx2.TransportError, OSError) as error:
        raise HubUnavailable(
            "The hub cannot be reached from here. Everything that is on this machine works.", 30
        ) from error
