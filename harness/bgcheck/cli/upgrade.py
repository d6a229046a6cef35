"""`bgcheck upgrade`: what an upgrade changes for the patterns that an app uses."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcheck.report.gate import ExitCode

from .baseline import read_lines
from .diff import add_database, find_difference, make_console
from .errors import UsageError, need

if TYPE_CHECKING:
    from bgcheck_suites.answers.used import Used

EPILOG = """\
A and B are what `bgcheck diff` takes. Get FILE from your tests: pytest --bgcheck-json=FILE

exit codes:
  0  nothing that the app uses changes
  1  something changes
  2  inconclusive: a side was not measured, or the report is incomplete
  3  usage error
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "upgrade",
        help="say what an upgrade changes for an app",
        description="Say what changes between two versions for the patterns that an app uses, "
        "worst first: what you will see, the evidence, and what to do.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--from", dest="before", required=True, metavar="A", help="such as 0.105")
    add("--to", dest="after", default="newest", metavar="B", help="(default: %(default)s)")
    add("--used", type=Path, metavar="FILE", help="a --bgcheck-json report of the app's tests")
    add("--markdown", action="store_true", help="write Markdown, such as for a pull request")
    add_database(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the answers, and return the exit code."""
    need("upgrade", "suites", "rich", "packaging")
    from bgcheck_suites.answers.advice import markdown_of, text_of
    from bgcheck_suites.answers.upgrade import answer
    from bgcheck_suites.matrix.database import SHIPPED, load_database
    from bgcheck_suites.registry import registry

    used = None if arguments.used is None else _used(arguments.used)
    found = find_difference(arguments.before, arguments.after, arguments.database)
    doubt = found.inconclusive or (used.incomplete if used is not None else "")
    upgrade = answer(found, registry(), load_database(arguments.database or SHIPPED), used)
    if arguments.markdown:
        print("\n".join(markdown_of(upgrade, used)))  # noqa: T201
    else:
        console = make_console()
        text = "\n".join(text_of(upgrade, used, console.width))
        console.print(text, markup=False, soft_wrap=True)
    if doubt:
        print(f"inconclusive: {doubt}")  # noqa: T201
        return ExitCode.INCONCLUSIVE
    return ExitCode.FAILED if upgrade.changes else ExitCode.HOLDS


def _used(file: Path) -> "Used":
    from bgcheck_suites.answers.used import UsedError, read_used

    try:
        return read_used(read_lines(file))
    except UsedError as error:
        raise UsageError(f"--used {file}: {error}") from None
