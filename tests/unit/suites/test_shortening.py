"""How a program is made short, and still does the same."""

import ast
import contextlib
import io
import textwrap

import pytest

from bgcheck_suites.reproduce.rendering import render
from bgcheck_suites.reproduce.simplifying import simplified


def short(text):
    return render(simplified(ast.parse(textwrap.dedent(text)).body))


def printed(text):
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(compile(textwrap.dedent(text), "program", "exec"), {"__name__": "program"})
    return shown.getvalue()


def test_a_function_that_is_called_once_stands_in_the_place_of_its_call():
    text = """
    def double(number):
        twice = number * 2
        return twice + 1

    def test_it():
        value = double(4)
        print(value, value)
    """
    assert short(text) == "value = 4 * 2 + 1\nprint(value, value)\n"


def test_a_program_starts_with_its_imports_and_has_none_that_it_does_not_need():
    text = """
    import json
    import os, sys
    from a.b import c, d

    def test_it():
        print(sys, d, c)
    """
    assert short(text) == "import sys\nfrom a.b import c, d\n\nprint(sys, d, c)\n"


PROGRAMS = {
    "a name that the place of the call has for something else": """
        def start(*tasks):
            def schedule(group):
                for task in tasks:
                    group.append(task)
            return schedule

        def run(schedule):
            def endpoint(tasks):
                schedule(tasks)
                return tasks
            return endpoint([])

        def test_it():
            print(run(start(1, 2)))
        """,
    "a local variable that is taken at the place of the call": """
        def other():
            value = 1
            return value + 1

        def test_it():
            value = 10
            print(other() + value)
        """,
    "an argument that has the name of a local variable": """
        def wrap(inner):
            app = [inner]
            return app

        def test_it():
            app = ["app"]
            app = wrap(app)
            print(app)
        """,
    "a handler that binds a name of its own": """
        def fail(error):
            try:
                raise error
            except ValueError as error:
                return str(error)

        def test_it():
            error = ValueError("first")
            print(fail(error), fail(ValueError("second")))
        """,
    "an argument that must be evaluated once": """
        made = []

        def make():
            made.append("x")
            return len(made)

        def use(number):
            return number + number

        def test_it():
            print(use(make()), made)
        """,
    "a function that may not be called": """
        def effect():
            print("called")
            return True

        def test_it():
            print(False and effect())
        """,
    "an early return": """
        def test_it():
            if len("ab") == 2:
                print("early")
                return
            print("late")
        """,
    "a return in a loop": """
        def test_it():
            for number in range(5):
                if number == 2:
                    print(number)
                    return
        """,
    "a variable of the function around": """
        def test_it():
            count = 0
            def add():
                nonlocal count
                count += 1
            add(), add()
            print(count)
        """,
    "parameters that no call gives": """
        def request(path="/", method="GET", **options):
            return f"{method} {path} {options or 'none'}"

        def test_it():
            print(request("/a"), request("/b"))
        """,
    "what is known of a condition": """
        def choose(value=None):
            return "none" if value is None else f"value {value}"

        def test_it():
            print(choose(), choose())
        """,
    "texts in texts": """
        def test_it():
            name = None
            print(f"{name or 'nobody'} {{}} {'a' + str(1)!r} {3.14159:.2f} {', '.join(['x', 'y'])}")
        """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_short_program_does_the_same(name):
    text = PROGRAMS[name]
    called = f"{textwrap.dedent(text)}\ntest_it()\n"
    made = short(text)
    assert printed(made) == printed(called) != ""
    assert len(made.splitlines()) <= len(called.splitlines())


def test_a_text_that_older_pythons_could_not_read_is_formatted():
    text = """
    def test_it():
        name = input()
        print(f"{name or 'nobody'}, {{x}} {name!r:>5}", f"{name}", name)
    """
    assert short(text) == (
        "name = input()\n"
        "print('{}, {{x}} {!r:>5}'.format(name or 'nobody', name), f'{name}', name)\n"
    )
