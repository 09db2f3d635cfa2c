"""What was made in a tab before: shown again after a reload, with seed and settings, until it is removed."""

import asyncio

from ..access import Caller
from ..gallery import Made
from ..schema import JSON
from ..service import Service
from ..tasks import Group, Kind

TOLD = ("task", "model", "prompt", "figures", "notes", "settings")


class Album:
    """The things of one kind that a caller had made, for the tab's script, which calls these by name."""

    def __init__(self, service: Service, kind: Group) -> None:
        self._service = service
        self._kind = kind

    async def past(self, caller: Caller) -> list[JSON]:
        """What there is, newest first, as the view takes it."""
        found = await asyncio.to_thread(self._service.gallery.list, caller.owner, self._kind)
        return [_shown(made) for made in found]

    async def forget(self, caller: Caller, *, id: str) -> bool:
        """Remove something; its files leave with the next cleaning."""
        return await asyncio.to_thread(self._service.gallery.remove, caller.owner, id)


async def keep(service: Service, group: Group, caller: Caller, value: JSON) -> None:
    """Keep a result as the view shows it; raises `StorageFailed`."""
    output = value["output"]
    kind: Kind = "video" if "video" in output else "image"
    urls = [output["video"]] if "video" in output else output["images"]
    files = [await service.intake.link(url, kind) for url in urls]
    if not files:  # it was stopped before anything was ready
        return
    rest = {name: part for name, part in output.items() if name not in ("images", "video")}
    made = Made(
        id=value["id"],
        owner=caller.owner,
        kind=group,
        media=tuple(file.id for file in files),
        told={name: value.get(name) for name in TOLD} | {"output": rest},
    )
    await asyncio.to_thread(service.gallery.add, made)


def _shown(made: Made) -> JSON:
    urls = [f"media/{id}" for id in made.media]
    files: JSON = {"video": urls[0]} if made.told["task"].endswith("to-video") else {"images": urls}
    when = made.created_at.isoformat()
    return {**made.told, "id": made.id, "made_at": when, "output": made.told["output"] | files}
