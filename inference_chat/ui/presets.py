"""What the page offers to start from: ways to speak, and first messages to click."""

from pathlib import Path
from typing import Any

INPUTS = Path(__file__).parents[2] / "examples" / "inputs"

PERSONAS: dict[str, str] = {
    "Friendly": "You are a friendly assistant.",
    "Professional": "You are a professional assistant.",
    "Caring": "You are a caring assistant.",
    "Witty": "You are a witty assistant.",
    "Enthusiastic": "You are an enthusiastic assistant.",
}

EXAMPLES: tuple[str, ...] = (
    "Who are you?",
    "What can you do?",
    "Tell me a joke",
    "What is the capital of Japan?",
)

SAMPLES: tuple[dict[str, Any], ...] = (
    {
        "text": "",
        "label": "“How many red circles are there?”, said aloud over a picture",
        "files": ["scene-red-circles.png", "speech/how-many-red-circles-are-there.ogg"],
    },
    {"text": "Compare the two pictures.", "files": ["scene-3-objects.png", "scene-4-objects.png"]},
    {"text": "What happens, and when?", "files": ["clip-two-shots.mp4"]},
    {"text": "What is said?", "files": ["speech/tell-me-a-joke.ogg"]},
)
"""First messages with files of examples/inputs."""
