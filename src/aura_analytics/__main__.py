"""`python -m aura_analytics`."""

from aura_analytics.cli import main

if __name__ == "__main__":
    main()
