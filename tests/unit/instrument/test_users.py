"""`bgcheck.instrument.users`: the first user turns an instrument on, the last turns it off."""

from __future__ import annotations

from bgcheck.instrument.users import Users


def test_only_the_first_and_the_last_count() -> None:
    users, seen = Users(), []

    @users.first
    def install() -> None:
        """Turn it on."""
        seen.append("on")

    @users.last
    def uninstall() -> None:
        """Turn it off."""
        seen.append("off")

    install()
    install()
    assert seen == ["on"]
    uninstall()
    assert seen == ["on"]
    uninstall()
    assert seen == ["on", "off"]
    install()
    assert seen == ["on", "off", "on"]
    assert (install.__doc__, uninstall.__doc__) == ("Turn it on.", "Turn it off.")
