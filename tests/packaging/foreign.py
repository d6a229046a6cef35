"""A foreign project: a fresh virtual environment that holds the wheel and little else."""

import subprocess
import sys
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
WANTED = ("pytest", "fastapi", "httpx", "httpx2")


def build(target: str, source: Path, where: Path) -> Path:
    """Build a `wheel` or an `sdist` of a source tree with the installed hatchling."""
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(where), cwd=source)
    (made,) = where.iterdir()
    return made


def run(*command: str, cwd: Path) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def make_environment(where: Path, wheel: Path) -> Path:
    """Make an environment with only the wheel and what `WANTED` needs; return its interpreter.

    The dependencies are links to those of this environment, so that no registry is asked; pip
    then installs the wheel, and fails if it requires anything else.
    """
    venv.create(where, with_pip=True)
    python = where / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site_packages = Path(run(str(python), "-c", show, cwd=where).strip())
    for name in sorted(closure(WANTED)):
        link(name, site_packages)
    run(str(python), "-m", "pip", "install", "--no-index", str(wheel), cwd=where)
    return python


def closure(wanted: tuple[str, ...]) -> set[str]:
    """Return the installed distributions among these and all that they require."""
    found: set[str] = set()
    todo = [Requirement(name) for name in wanted]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and name not in found and installed(name):
            found.add(name)
            todo.extend(map(Requirement, distribution(name).requires or ()))
    return found


def installed(name: str) -> bool:
    """Tell whether this environment has the distribution: not every client fits every cell."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def link(name: str, site_packages: Path) -> None:
    """Link the packages and the metadata of one distribution into another environment."""
    dist = distribution(name)
    for top in {path.parts[0] for path in dist.files or ()} - {"..", "__pycache__"}:
        target = site_packages / top
        if not target.exists():
            target.symlink_to(Path(str(dist.locate_file(top))))
