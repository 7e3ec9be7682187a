"""How DuckDB is run here."""

Config = dict[str, str | bool | int | float | list[str]]


def engine_config(*, memory_mb: int, threads: int) -> Config:
    """Give the settings of a database: nothing from the net, and no more than its share of the machine."""
    return {
        "memory_limit": f"{memory_mb}MiB",
        "threads": str(threads),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        # A table that isn't there is an error, and never a variable of the same name.
        "python_enable_replacements": "false",
        # A checkpoint runs inside of a commit; rarer ones make the pauses of the feed rarer.
        "checkpoint_threshold": "64MB",
    }
