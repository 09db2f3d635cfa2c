"""Models that another server runs: the same requests and events, over OpenAI's routes."""

from .remote import Remote
from .runner import TASKS_THERE, EndpointRunner

__all__ = ["TASKS_THERE", "EndpointRunner", "Remote"]
