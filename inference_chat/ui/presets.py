"""What the page offers to start from: ways to speak, and first messages to click."""

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
