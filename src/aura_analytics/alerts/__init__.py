"""What is watched: rules as data, how each stands, and who is told."""
