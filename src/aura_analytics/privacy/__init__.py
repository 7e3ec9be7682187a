"""What is kept of one person, in all places where anything is: shown to them, or erased."""
