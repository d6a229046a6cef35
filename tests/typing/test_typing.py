"""The public API is typed: mypy and pyright accept what is right, and refuse what is wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Protocol

import pytest

USES = Path(__file__).parent / "uses.py"

MISUSES = dedent(
    """
    import bgcheck
    from bgcheck import scheduled


    def process_item(item_id: int, action: str = "create") -> None: ...


    class Mailer:
        def send(self, to: str) -> None: ...


    scheduled(process_item, "42")  # wrong
    scheduled(process_item)  # wrong
    scheduled(process_item, 42, "create", "more")  # wrong
    scheduled(process_item, 42, act="create")  # wrong
    scheduled(process_item, item_id=None)  # wrong
    scheduled(Mailer().send, 42)  # wrong
    scheduled(Mailer.send, "ada")  # wrong
    scheduled("process_item", 42)  # wrong
    bgcheck.schedule(process_item, 42)  # wrong


    def test_log(bgtasks: bgcheck.BackgroundTasksLog) -> None:
        bgtasks.of(process_item, outcome="done")  # wrong
        bgtasks.of("process_item")  # wrong
        bgtasks.expect(process_item, times="1")  # wrong
        bgtasks.one(process_item).parms  # wrong
        bgtasks.one("process_item")  # wrong
        bgtasks.expected(process_item)  # wrong
        number: int = bgtasks.one(process_item).outcome  # wrong
    """
)


class Checker(Protocol):
    """Runs a type checker, and returns the lines of files in which it finds an error."""

    def __call__(self, *files: Path, cache: Path) -> set[tuple[str, int]]: ...


def mypy(*files: Path, cache: Path) -> set[tuple[str, int]]:
    """Return the lines of files in which mypy finds an error."""
    pytest.importorskip("mypy")
    options = ["--strict", "--no-error-summary", f"--cache-dir={cache}", "--config-file="]
    found = run("mypy", *options, *map(str, files), cwd=cache)
    return {(Path(m[1]).name, int(m[2])) for m in re.finditer(r"(?m)^(.+?):(\d+): error:", found)}


def pyright(*files: Path, cache: Path) -> set[tuple[str, int]]:
    """Return the lines of files in which pyright finds an error."""
    pytest.importorskip("pyright")
    found = run("pyright", "--outputjson", f"--pythonpath={sys.executable}", *files, cwd=cache)
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1)
        for each in json.loads(found)["generalDiagnostics"]
        if each["severity"] == "error"
    }


def run(module: str, *arguments: object, cwd: Path) -> str:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    # `pyright --verifytypes` looks for packages beside the first python on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_checker_refuses_exactly_what_is_wrong(checker: Checker, tmp_path: Path) -> None:
    misuses = tmp_path / "misuses.py"
    misuses.write_text(MISUSES)
    wrong = {n for n, line in enumerate(MISUSES.splitlines(), 1) if line.endswith("# wrong")}
    assert checker(USES, misuses, cache=tmp_path) == {(misuses.name, n) for n in wrong}


def test_every_type_of_the_public_api_is_complete(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    options = ["--verifytypes=bgcheck", "--ignoreexternal", "--outputjson"]
    found = run("pyright", *options, cwd=tmp_path)
    symbols = json.loads(found)["typeCompleteness"]["symbols"]
    incomplete = [
        symbol["name"]
        for symbol in symbols
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
    ]
    assert len(symbols) > 2000
    assert incomplete == []
