"""The doors for programs: REST, server-sent events and WebSockets."""
