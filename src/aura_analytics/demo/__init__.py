"""A week in the life of ten made-up shops, to look at."""
