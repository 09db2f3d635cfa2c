"""Conversations as they happen: turns that run as jobs and are stored at every step."""
