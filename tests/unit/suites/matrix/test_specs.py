"""Which cells are measured, and what each one asks of the installer."""

import pytest

from bgcheck_suites.matrix.specs import Spec, SpecError, default_specs, product


def test_a_minor_release_stands_for_its_last_patch():
    assert Spec("3.13", fastapi="0.118").requirements() == ["fastapi==0.118.*"]
    assert Spec("3.13", fastapi="0.118.1").requirements() == ["fastapi==0.118.1"]


def test_the_newest_is_left_to_the_resolver():
    assert Spec("3.13", fastapi="newest").requirements() == []


def test_old_releases_get_the_client_that_fits():
    assert Spec("3.13", fastapi="0.105.0").requirements() == ["fastapi==0.105.0", "httpx<0.28"]
    assert "httpx<0.28" in Spec("3.13", starlette="0.41.3").requirements()
    assert "httpx<0.28" not in Spec("3.13", starlette="0.46.2").requirements()


def test_every_combination_once():
    specs = product(["3.10", "3.13"], ["0.105", "newest"], anyio=["3.7.1"])
    assert [spec.slug for spec in specs] == [
        "py3.10-fastapi0.105-anyio3.7.1",
        "py3.10-fastapinewest-anyio3.7.1",
        "py3.13-fastapi0.105-anyio3.7.1",
        "py3.13-fastapinewest-anyio3.7.1",
    ]
    assert specs[0].wanted == {"python": "3.10", "fastapi": "0.105", "anyio": "3.7.1"}


def test_what_is_no_version_is_refused():
    with pytest.raises(SpecError) as raised:
        product(["3.13"], ["latest"])
    assert str(raised.value) == (
        "'latest' is no version; write 0.105.0, 0.105 (its last patch) or newest"
    )


def test_default_cells_are_different_and_many():
    specs = default_specs("3.13", ["3.10"])
    assert len(specs) == len(set(specs)) == len({spec.slug for spec in specs})
    assert len(specs) >= 30
    assert Spec("3.10", fastapi="0.105.0") in specs
