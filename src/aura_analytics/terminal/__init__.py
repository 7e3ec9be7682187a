"""What a person at a terminal sees: tables, progress, and how the commands reach the service."""
