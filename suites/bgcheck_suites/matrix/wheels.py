"""A wheel of the bgcheck that runs, to be installed in the cells."""

import json
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .environments import BuildError


def make_wheel(directory: Path) -> Path:
    """Return a wheel of the installed bgcheck: built from its checkout, or packed from its files.

    Raises BuildError where it cannot be built.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.whl"):
        old.unlink()
    installed = metadata.distribution("bgcheck")
    checkout = _checkout(installed)
    if checkout is None:
        return _pack(installed, directory)
    uv = shutil.which("uv")
    if uv:
        command = [uv, "build", "-q", "--wheel", "-o", str(directory), str(checkout)]
    else:
        pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps"]
        command = [*pip, "-w", str(directory), str(checkout)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    built = next(iter(directory.glob("*.whl")), None)
    if done.returncode or built is None:
        raise BuildError(f"cannot build a wheel of {checkout}: {done.stderr.strip()[-500:]}")
    return built


def _checkout(installed: metadata.Distribution) -> Path | None:
    """Return the directory of an editable installation, or None."""
    text = installed.read_text("direct_url.json")
    origin = json.loads(text) if text else {}
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(origin["url"]).path))


def _pack(installed: metadata.Distribution, directory: Path) -> Path:
    target = directory / f"bgcheck-{installed.version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in installed.files or ():
            path = Path(str(installed.locate_file(file)))
            if not file.parts[0].startswith("..") and path.is_file() and path.suffix != ".pyc":
                wheel.write(path, file.as_posix())
    return target
