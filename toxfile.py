"""Give tox one environment for each supported Python and each file of tests/cells."""

import re
from collections.abc import Iterator
from pathlib import Path

from tox.config.loader.memory import MemoryLoader
from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State

ROOT = Path(__file__).parent
PYTHON = re.compile(r'"Programming Language :: Python :: 3\.(\d+)"')


def cells() -> Iterator[tuple[str, Path]]:
    """Yield the name and the constraints file of every cell."""
    minors = PYTHON.findall((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for constraints in sorted(ROOT.glob("tests/cells/*.txt")):
        for minor in minors:
            yield f"py3{minor}-{constraints.stem}", constraints


@impl
def tox_extend_envs() -> list[str]:
    """Declare the cells."""
    return [name for name, _ in cells()]


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """Constrain every installation of a cell by its file."""
    for name, constraints in cells():
        state.conf.memory_seed_loaders[name].append(MemoryLoader(constraints=str(constraints)))
