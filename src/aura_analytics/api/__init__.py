"""The edge: reading endpoints, and what every answer has in common."""
