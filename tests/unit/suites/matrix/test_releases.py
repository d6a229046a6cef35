"""Which releases of a package count."""

import subprocess

import pytest

from bgcheck_suites.matrix import releases as module
from bgcheck_suites.matrix.releases import IndexUnreadableError, releases, sort_final


def test_pre_releases_and_oddities_are_left_out():
    assert sort_final(["0.100.0b1", "0.9.0", "0.32.0.post1", "oddity", "0.10.0"]) == [
        "0.9.0",
        "0.10.0",
        "0.32.0.post1",
    ]


def answer(monkeypatch, **result):
    given = {"args": [], "returncode": 0, "stdout": "", "stderr": "", **result}
    done = subprocess.CompletedProcess(**given)
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: done)


def test_what_pip_lists(monkeypatch):
    answer(monkeypatch, stdout="fastapi (0.3)\nAvailable versions: 0.3, 0.2\n  LATEST: 0.3\n")
    assert releases("fastapi") == ["0.2", "0.3"]


def test_an_index_that_does_not_answer(monkeypatch):
    answer(monkeypatch, returncode=1, stderr="ERROR: no index\n")
    with pytest.raises(IndexUnreadableError) as raised:
        releases("fastapi")
    assert str(raised.value) == "cannot list the releases of fastapi: ERROR: no index"


def test_neither_pip_nor_uv(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    with pytest.raises(IndexUnreadableError, match="neither pip nor uv"):
        releases("fastapi")
