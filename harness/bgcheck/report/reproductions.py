"""The standalone script behind a result that does not hold."""

from .results import Result


def reproduction_of(result: Result) -> str:
    """Return the script that shows a failure of the framework, or an empty string."""
    if result.suite != "framework" or result.suite_error:
        return ""
    if not result.failing and result.status != "warn":
        return ""
    from bgcheck_suites.reproduce import reproduction

    try:
        return reproduction(result.id)
    except KeyError:
        return ""
