"""`python -m bgcheck`: the same as the `bgcheck` command."""

import sys

from bgcheck.cli import main

if __name__ == "__main__":
    sys.exit(main())
