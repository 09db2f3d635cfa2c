"""The same input to several models: how far they agree, and which of them people prefer."""
