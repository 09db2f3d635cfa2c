"""What Schemathesis does not know by itself: how an archive is sent."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/zip")
def send_zip(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
