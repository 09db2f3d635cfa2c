"""Masks as files: PNG of one bit a pixel, white where the region is."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..events import Box, Event, File, Label, Labels, Progress
from ..media import image_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def region(label: str, score: float | None, mask: "NDArray[np.bool_]") -> Label | None:
    """A region with its mask (height, width) and the box around it; None where the mask is empty."""
    import numpy as np
    from PIL import Image

    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    box = Box(
        xmin=float(columns[0]), ymin=float(rows[0]), xmax=float(columns[-1] + 1), ymax=float(rows[-1] + 1)
    )
    png = image_bytes(Image.fromarray(mask))
    return Label(label=label, score=score, box=box, mask=File(data=png, media_type="image/png"))


def tell_regions(found: "Iterable[tuple[str, float, NDArray[np.bool_]]]", index: int) -> Iterator[Event]:
    """The regions of picture number `index`, given as names, scores and masks, the surest first."""
    regions: list[Label] = []
    for name, score, mask in found:
        regions += [one] if (one := region(name, score, mask)) else []
        yield Progress(phase="answering")
    yield Labels(items=tuple(sorted(regions, key=lambda one: -(one.score or 0.0))), index=index)
