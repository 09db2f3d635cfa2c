"""Headers that keep a browser from doing more with an answer than it is for.

The page runs its own scripts, and those of Gradio, which are partly written into it and partly made
while it runs; nothing is taken from, or sent to, any other host. A Space is shown in a frame of
huggingface.co. Everything that is no page is data: it runs nothing, wherever it is opened.
"""

from starlette.datastructures import MutableHeaders

FRAMES = ("https://huggingface.co", "https://*.hf.space")
"""Sites that may show the page in a frame, besides its own."""
PAGE = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": " ".join(("'self'", *FRAMES)),
}
DATA = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
GIVEN = ("/gradio_api/file", "/media/")
"""Paths of files that people have sent: never a page, whatever they are."""
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), payment=(), usb=()",
}


PAGE_POLICY = "; ".join(f"{name} {value}" for name, value in PAGE.items())


def write_headers(path: str, headers: MutableHeaders) -> None:
    """Add what is missing to the headers of the answer at `path`."""
    for name, value in ALWAYS.items():
        headers.setdefault(name, value)
    kind = headers.get("content-type", "")
    if kind.startswith("text/html") and not path.startswith(GIVEN):
        headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    elif "javascript" not in kind:  # a worker would live by it
        headers.setdefault("Content-Security-Policy", DATA)
