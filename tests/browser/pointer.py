"""What a hand on a mouse does, and where things are for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import FloatRect, Locator, Page, expect


def box(place: Locator) -> FloatRect:
    """Where it is on the page, in pixels, once it is there: one that is drawn anew meanwhile has no place."""
    while True:
        expect(place).to_be_visible()
        if found := place.bounding_box():
            return found


def drag(page: Page, place: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Press at one place, in fractions of its size, and let go at another."""
    expect(place.locator("img")).to_have_js_property("complete", True)  # without it the place has no height
    place.hover()  # scrolls to it
    at = box(place)
    x, y, width, height = at["x"], at["y"], at["width"], at["height"]
    page.mouse.move(x + start[0] * width, y + start[1] * height)
    page.mouse.down()
    page.mouse.move(x + end[0] * width, y + end[1] * height, steps=5)
    page.mouse.up()


@contextmanager
def pressed(page: Page, place: Locator) -> Iterator[None]:
    """A click that takes its time: within the block the button is down."""
    place.hover()
    page.mouse.down()
    yield
    page.mouse.up()


def drawn(page: Page) -> None:
    """Wait until what the page was answered before is drawn."""
    page.evaluate("() => fetch('health').then((answer) => answer.text()).then(() => new Promise(setTimeout))")
