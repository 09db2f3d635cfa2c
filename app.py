"""The whole program: the page and every API on one port.

`python app.py` serves it, `uvicorn app:app` does too, and a hosted Space runs this file.
"""

from inference_chat.start import assemble, serve

settings, demo, app = assemble()

if __name__ == "__main__":
    serve(app, settings)
