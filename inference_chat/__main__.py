"""`python -m inference_chat`: the same as `python app.py`."""

from .start import main

if __name__ == "__main__":
    main()
