"""What can be done with models: found, fetched, registered, loaded, removed."""
