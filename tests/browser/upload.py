"""Files for Gradio's places: a page takes one at once, and has it only when the server has received it."""

from pathlib import Path

from playwright.sync_api import Locator, expect

PREVIEW = (
    ".image-frame img[src$='/{0}'], video[data-testid$='-player'][src$='/{0}'], .filename[aria-label='{0}']"
)


def given(place: Locator, *paths: Path) -> None:
    """Choose a file in the first field for one, several in the first for many; wait until they are there."""
    many = "[multiple]" if len(paths) > 1 else ""
    place.locator(f"input[type=file]{many}").first.set_input_files(paths)
    for path in paths:
        there(place, path.name)


def there(place: Locator, name: str) -> None:
    """Wait until a place has the file of that name, whether a browser can show it or not."""
    expect(place.locator(PREVIEW.format(name))).to_be_attached()
