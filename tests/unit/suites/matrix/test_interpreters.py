"""Interpreters are found where they work."""

import sys

from bgcheck_suites.matrix import interpreters
from bgcheck_suites.matrix.interpreters import RUNNING, find_python


def test_the_running_one():
    assert find_python(RUNNING) == sys.executable


def test_a_path():
    assert find_python(sys.executable) == sys.executable


def test_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find_python("3.99") is None
    assert find_python("no-such-python") is None


def test_a_shim_that_does_not_work_is_passed_over(tmp_path, monkeypatch):
    shim, real = tmp_path / "shims" / "python3.99", tmp_path / "bin" / "python3.99"
    for path, code in ((shim, 1), (real, 0)):
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\nexit {code}\n")
        path.chmod(0o755)
    monkeypatch.setattr(
        interpreters.os, "get_exec_path", lambda: [str(shim.parent), str(real.parent)]
    )
    assert find_python("3.99") == str(real)
