"""Conversations as they are kept: trees of messages in the database, and their way out and in."""
