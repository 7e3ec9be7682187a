"""What a module brings into memory, looked at in a process of its own."""

import subprocess
import sys


def loaded_by(module: str) -> set[str]:
    """Give the packages that are there once a module is."""
    program = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )
