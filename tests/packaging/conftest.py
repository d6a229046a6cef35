"""The built distributions, and a foreign project that has only the wheel."""

import os
from pathlib import Path

import pytest
from foreign import ROOT, build, make_environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def foreign_python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment with only the wheel, FastAPI and a client.

    `BGCHECK_FOREIGN_PYTHON` names one that was installed from a registry instead.
    """
    given = os.environ.get("BGCHECK_FOREIGN_PYTHON")
    if given:
        return given
    where = tmp_path_factory.mktemp("foreign")
    return str(make_environment(where, request.getfixturevalue("wheel")))
