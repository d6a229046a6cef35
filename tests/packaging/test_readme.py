"""The README's example prints what the README says."""

import os
import re
import subprocess
from pathlib import Path

from foreign import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = dict(re.findall(r"```python\n(?=# (\w+\.py)\n)(.*?)```", README, re.DOTALL))
PRINTED = re.search(r"`pytest` prints:\n\n```text\n(.*?)```", README, re.DOTALL)


def run_example(python: str, where: Path, **replaced: str) -> "subprocess.CompletedProcess[str]":
    """Write the example as files, with some text of its app replaced, and run its test."""
    for name, text in EXAMPLE.items():
        for old, new in replaced.items():
            assert old in EXAMPLE["shop.py"]
            text = text.replace(old, new) if name == "shop.py" else text
        (where / name).write_text(text, encoding="utf-8")
    return subprocess.run(
        [python, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider"],
        cwd=where,
        env={key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_is_an_app_and_a_test() -> None:
    assert set(EXAMPLE) == {"shop.py", "test_shop.py"}


def test_the_example_fails_with_the_message_shown(foreign_python: str, tmp_path: Path) -> None:
    done = run_example(foreign_python, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert PRINTED, "the README shows no message"
    assert PRINTED[1] in done.stdout


def test_the_example_passes_once_its_fault_is_mended(foreign_python: str, tmp_path: Path) -> None:
    done = run_example(foreign_python, tmp_path, **{'"update"': '"create"'})
    assert done.returncode == 0, done.stdout + done.stderr
