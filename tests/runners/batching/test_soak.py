"""Three quarters of a minute of what `tests/soak.py` does for an hour, longer where the machine is slow."""

from pathlib import Path

from tests.runners.models import build
from tests.soak import FLAT, soak

SECONDS = 45
REQUESTS = 600
"""With fewer, memory still warms up in the second fifth."""


async def test_people_who_come_leave_stop_and_edit_get_what_they_would_get_alone(tmp_path: Path):
    account = await soak(build("Llama", tmp_path / "Llama"), SECONDS, requests=REQUESTS)
    assert account.wrong == []
    assert min(account.ended[how] for how in ("stays", "stops", "leaves")) > 5
    assert max(account.batched) > 2
    assert account.growth < FLAT or sum(account.ended.values()) < REQUESTS
