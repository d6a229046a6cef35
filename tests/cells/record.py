"""Print the resolved versions of this environment, and write them to the file named."""

import sys
from importlib.metadata import distributions
from pathlib import Path

from bgcheck.report.stack import describe, resolved_stack


def main(target: Path) -> None:
    """Print the stack in one line; write all distributions, as `pip freeze` would."""
    stack = resolved_stack()
    lines = sorted({f"{found.name}=={found.version}" for found in distributions()}, key=str.lower)
    target.write_text("\n".join([f"# {describe(stack)}", *lines]) + "\n", encoding="utf-8")
    sys.stdout.write(f"versions: {describe(stack)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
