"""What is in the wheel and in the sdist."""

import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from foreign import ROOT, build, run

PACKAGES = {
    "bgcheck": ROOT / "harness/bgcheck",
    "bgcheck_suites": ROOT / "suites/bgcheck_suites",
    "bgcheck_reference": ROOT / "reference_app/bgcheck_reference",
}


def names(archive: Path) -> set[str]:
    """Return the names of all files in a wheel."""
    with zipfile.ZipFile(archive) as opened:
        return {name for name in opened.namelist() if not name.endswith("/")}


def source_files(package: str) -> set[str]:
    """Return the files of a package in the checkout, as paths in the wheel."""
    root = PACKAGES[package]
    return {
        path.relative_to(root.parent).as_posix()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_holds_every_file_of_the_package(wheel: Path, package: str) -> None:
    packaged = {name for name in names(wheel) if name.split("/")[0] == package}
    assert packaged == source_files(package)
    assert f"{package}/py.typed" in packaged


def test_wheel_holds_nothing_but_the_packages_and_its_metadata(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    (metadata,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {*PACKAGES, metadata}
    assert {name.removeprefix(f"{metadata}/") for name in names(wheel) if metadata in name} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_wheel_has_the_data_that_the_suites_and_the_reports_read(wheel: Path) -> None:
    suffixes = {Path(name).suffix for name in names(wheel)} - {".py", ".typed", ""}
    assert {".toml", ".ini"} <= suffixes


def test_wheel_registers_the_plugin_module_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        (entry_points,) = (name for name in opened.namelist() if name.endswith("entry_points.txt"))
        text = opened.read(entry_points).decode()
    assert "[pytest11]\nbgcheck = bgcheck.plugin\n" in text
    assert "[console_scripts]\nbgcheck = bgcheck.cli:main\n" in text


def test_sdist_builds_an_identical_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    run(sys.executable, "-m", "tarfile", "-e", str(sdist), str(tmp_path / "source"), cwd=tmp_path)
    (source,) = (tmp_path / "source").iterdir()
    rebuilt = build("wheel", source, tmp_path / "wheel")
    assert rebuilt.name == wheel.name
    assert rebuilt.read_bytes() == wheel.read_bytes()


def test_sdist_holds_the_tests_and_how_to_run_them(tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path)
    with tarfile.open(sdist) as opened:
        inside = {name.partition("/")[2] for name in opened.getnames()}
    wanted = {"CHANGELOG.md", "LICENSE", "README.md", "noxfile.py", "tox.ini", "toxfile.py"}
    assert wanted | {"tests/cells/newest.txt", "tests/packaging/conftest.py"} <= inside
