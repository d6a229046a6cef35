"""A conformance run as JUnit XML: one test case for each requirement."""

from xml.etree import ElementTree as ET

from .gate import ExitCode, Gate
from .reproductions import reproduction_of
from .results import Result, Run


def render_junit(run: Run, gate: Gate) -> bytes:
    """Return the document; an inconclusive run or a broken suite is an error in it."""
    root = ET.Element("testsuites", name="bgcheck conform")
    for suite in dict.fromkeys(result.suite for result in run.results):
        _add_suite(root, suite, [result for result in run.results if result.suite == suite])
    if gate.code in (ExitCode.INCONCLUSIVE, ExitCode.SUITE_BUG):
        _add_verdict(root, gate)
    _total(root)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_suite(root: ET.Element, name: str, results: list[Result]) -> None:
    suite = ET.SubElement(root, "testsuite", name=name)
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"bgcheck.{name}",
            name=f"{result.id} {result.requirement}",
            time=f"{result.duration:.3f}",
        )
        _add_outcome(case, result)
    _count(suite, sum(result.duration for result in results))


def _add_outcome(case: ET.Element, result: Result) -> None:
    if result.failing:
        tag, kind = ("error", "suite") if result.suite_error else ("failure", result.status)
        outcome = ET.SubElement(case, tag, message=_clean(result.message), type=kind)
        told = (result.message, *result.evidence)
        script = reproduction_of(result)
        outcome.text = _clean("\n".join((*told, *(("", script) if script else ()))))
    elif result.status != "pass":
        ET.SubElement(case, "skipped", message=_clean(f"{result.status}: {result.message}"))


def _add_verdict(root: ET.Element, gate: Gate) -> None:
    suite = ET.SubElement(root, "testsuite", name="verdict")
    case = ET.SubElement(suite, "testcase", classname="bgcheck", name="run is complete", time="0")
    message = _clean("; ".join(gate.reasons))
    ET.SubElement(case, "error", message=message, type=gate.code.name.lower())
    _count(suite, 0.0)


def _count(suite: ET.Element, seconds: float) -> None:
    suite.set("tests", str(len(suite)))
    for kind, plural in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(plural, str(sum(case.find(kind) is not None for case in suite)))
    suite.set("time", f"{seconds:.3f}")


def _total(root: ET.Element) -> None:
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")


def _clean(text: str) -> str:
    """Drop the control characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or (c.isprintable() or c == "\u00a0"))
