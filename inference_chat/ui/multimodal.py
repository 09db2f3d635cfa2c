"""The Multimodal tab: the conversation of the Chat tab, begun with files and several models together."""

from ..service import Service
from . import chat


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    chat.build(service, "multimodal")
