"""Taking events in: over HTTP, and from files."""
