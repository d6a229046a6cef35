"""The lines that schedule tasks, found in the source and not run."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from bgcheck.coverage.finder import FoundSite, find_sites
from bgcheck.coverage.modules import Project

HEAD = """
from typing import Annotated, Any, Optional, Union
import fastapi
import starlette.background
import starlette.background as bg
from fastapi import BackgroundTasks, Depends
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as Group

def send(to): ...
"""


def sites_of(folder: Path, **sources: str) -> list[FoundSite]:
    """Write modules, `a__b` for a/b.py and `a__init` for a package, and find their sites."""
    files = []
    for name, source in sources.items():
        file = folder.joinpath(*name.split("__")).with_suffix(".py")
        file = file.with_name("__init__.py") if file.name == "init.py" else file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(source), encoding="utf-8")
        files.append(file)
    return find_sites(Project(files, folder))


@pytest.mark.parametrize(
    "code",
    [
        "def create(tasks: BackgroundTasks):\n    tasks.add_task(send, 1)",
        "async def create(*, tasks: BackgroundTasks):\n    tasks.add_task(send, 1)",
        "def create(tasks: fastapi.BackgroundTasks):\n    tasks.add_task(send, 1)",
        "def create(tasks: 'BackgroundTasks'):\n    tasks.add_task(send, 1)",
        "def create(tasks: BackgroundTasks | None = None):\n    tasks.add_task(send, 1)",
        "def create(tasks: Optional[BackgroundTasks] = None):\n    tasks.add_task(send, 1)",
        "def create(tasks: Union[None, Group] = None):\n    tasks.add_task(send, 1)",
        "def create(tasks: Annotated[BackgroundTasks, Depends()]):\n    tasks.add_task(send, 1)",
        "def create(tasks=Depends(BackgroundTasks)):\n    tasks.add_task(send, 1)",
        "def get() -> Group: ...\ndef create(tasks=Depends(get)):\n    tasks.add_task(send, 1)",
        "def get() -> Group: ...\ndef create():\n    tasks = get()\n    tasks.add_task(send, 1)",
        "Alias = Annotated[Group, 1]\ndef create(tasks: Alias):\n    tasks.add_task(send, 1)",
        "def create():\n    tasks = BackgroundTasks()\n    tasks.add_task(send, 1)",
        "def create(t: Group = None):\n    tasks = t or Group()\n    tasks.add_task(send, 1)",
        "def create():\n    tasks: starlette.background.BackgroundTasks = make()\n"
        "    tasks.add_task(send, 1)",
        "def create():\n    (tasks := bg.BackgroundTasks()).add_task(send, 1)",
        "def outer(tasks: Group):\n    def create():\n        tasks.add_task(send, 1)",
        "tasks = Group()\ndef create():\n    tasks.add_task(send, 1)",
        "class Mine(BackgroundTasks): ...\ndef create(t: Mine):\n    t.add_task(send, 1)",
        "class Mine(Group):\n    def create(self):\n        self.add_task(send, 1)",
        "class Mine(Group):\n    def create(self):\n        super().add_task(send, 1)",
        "def create():\n    return BackgroundTask(send, 1)",
        "def create():\n    return bg.BackgroundTask(send, 1)",
        "def create():\n    return starlette.background.BackgroundTask(func=send)",
        "def create():\n    return BackgroundTasks([BackgroundTask(send, 1)])",
    ],
)
def test_found(tmp_path: Path, code: str) -> None:
    (site,) = sites_of(tmp_path, shop=HEAD + code)
    assert site.certain
    assert site.func == "send"
    assert site.function.endswith("create")
    assert site.defined == (tmp_path / "shop.py", "send", 10)


@pytest.mark.parametrize(
    "code",
    [
        "class Jobs:\n    def add_task(self, f): ...\ndef create(j: Jobs):\n    j.add_task(send)",
        "class Jobs: ...\ndef create():\n    j = Jobs()\n    j.add_task(send)",
        "from apscheduler import Scheduler\ndef create(j: Scheduler):\n    j.add_task(send)",
        "from celery_like import jobs\ndef create():\n    jobs.add_task(send)",
        "class Jobs:\n    def create(self):\n        self.add_task(send)",
        "class BackgroundTask:\n    def __init__(self, f): ...\n\nBackgroundTask(send)",
        "class BackgroundTasks: ...\ndef create(t: 'BackgroundTasks'):\n    t.add_task(send)",
        "def create(tasks: list[Group]):\n    tasks.add_task(send)",
        "class Mine(Group):\n    def add_task(self, f, *a):\n        super().add_task(f, *a)",
        "class Mine(Group):\n    def add_task(self, f):\n        self.tasks.append("
        "BackgroundTask(f))",
        "class Mine(BackgroundTask):\n    def __init__(self, f):\n        super().__init__(f)",
        "def make() -> BackgroundTask: ...\ndef create():\n    return make()",
        "tasks = Group()\nasync def run():\n    await tasks()",
        "def create(tasks: Group, add_task):\n    add_task(send)",
    ],
)
def test_not_found(tmp_path: Path, code: str) -> None:
    head = HEAD
    if "class BackgroundTask" in code:  # a class of its own, by the framework's name
        head = "\ndef send(): ...\n"
    assert sites_of(tmp_path, shop=head + code) == []


@pytest.mark.parametrize(
    "code",
    [
        "def create(tasks):\n    tasks.add_task(send)",
        "def create(request):\n    request.state.tasks.add_task(send)",
        "def create(all):\n    for tasks in all:\n        tasks.add_task(send)",
        "def create(get):\n    get().add_task(send)",
        "def create(tasks: Any):\n    tasks.add_task(send)",
        "def create(tasks: dict):\n    tasks['mail'].add_task(send)",
    ],
)
def test_uncertain(tmp_path: Path, code: str) -> None:
    (site,) = sites_of(tmp_path, shop=HEAD + code)
    assert not site.certain


def test_attribute_of_an_object(tmp_path: Path) -> None:
    source = """
    from dataclasses import dataclass
    from fastapi import BackgroundTasks, Depends

    class Service:
        def __init__(self, tasks: BackgroundTasks, other: list):
            self.tasks = tasks
            self.other = other

        def order(self):
            self.tasks.add_task(print)
            self.other.add_task(print)

    @dataclass
    class Context:
        tasks: BackgroundTasks

    def create(context: Context, service: Service = Depends()):
        context.tasks.add_task(print)
        service.tasks.add_task(print)
    """
    sites = sites_of(tmp_path, shop=source)
    assert [(site.function, site.line, site.certain) for site in sites] == [
        ("Service.order", 11, True),
        ("create", 19, True),
        ("create", 20, True),
    ]


def test_names_are_followed_through_modules(tmp_path: Path) -> None:
    sites = sites_of(
        tmp_path,
        shop__init="",
        shop__types="""
        from typing import Annotated
        from fastapi import BackgroundTasks as BT
        class Tasks(BT): ...
        Injected = Annotated[BT, "doc"]
        """,
        shop__api__init="from ..types import Injected",
        shop__api__items="""
        import shop.types
        from . import Injected
        from ..types import Tasks
        from shop.jobs import send, group
        from shop import jobs
        def one(tasks: Injected):
            tasks.add_task(send)
        def two(tasks: Tasks):
            tasks.add_task(jobs.send)
        def three(tasks: shop.types.Tasks):
            tasks.add_task(print)
        def four():
            jobs.group.add_task(print)
            group.add_task(print)
        """,
        shop__jobs="""
        from .types import Tasks
        group = Tasks()
        def send(): ...
        """,
    )
    jobs = tmp_path / "shop" / "jobs.py"
    assert [(site.function, site.certain, site.defined) for site in sites] == [
        ("one", True, (jobs, "send", 4)),
        ("two", True, (jobs, "send", 4)),
        ("three", True, None),
        ("four", True, None),
        ("four", True, None),
    ]


def test_module_by_the_name_of_a_library(tmp_path: Path) -> None:
    sites = sites_of(
        tmp_path,
        shop__init="",
        shop__fastapi="class BackgroundTasks: ...",
        shop__typing="Optional = None",
        shop__main="""
        from typing import Optional
        from fastapi import BackgroundTasks
        from .fastapi import BackgroundTasks as Own
        def create(tasks: Optional[BackgroundTasks], own: Own):
            tasks.add_task(print)
            own.add_task(print)
        """,
    )
    assert [(site.line, site.certain) for site in sites] == [(6, True)]


def test_absolute_name_is_no_neighbour_in_a_package(tmp_path: Path) -> None:
    create = "def create(jobs: Jobs):\n    jobs.add_task(print)"
    sites = sites_of(
        tmp_path,
        shop__init="",
        shop__vendor="from fastapi import BackgroundTasks as Jobs",
        shop__main=f"from vendor import Jobs\n{create}",
        shop__more=f"from shop.vendor import Jobs\n{create}",
    )
    assert [(site.file.name, site.certain) for site in sites] == [("more.py", True)]


def test_names_of_modules_that_are_not_under_test(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "types.py").write_text("from fastapi import BackgroundTasks as Tasks\n")
    sites = sites_of(
        tmp_path,
        shop__main="from .types import Tasks\ndef create(t: Tasks):\n    t.add_task(print)",
        shop__more="from shop.types import Tasks\ndef create(t: Tasks):\n    t.add_task(print)",
    )
    assert [(site.file.name, site.certain) for site in sites] == [
        ("main.py", True),
        ("more.py", True),
    ]


def test_packages_under_several_roots(tmp_path: Path) -> None:
    sites = sites_of(
        tmp_path,
        one__src__one__init="from fastapi import BackgroundTasks as Tasks",
        two__src__two__init="from one import Tasks\nTasks().add_task(print)",
    )
    assert [site.certain for site in sites] == [True]


def test_call_over_several_lines(tmp_path: Path) -> None:
    source = """
    from fastapi import BackgroundTasks
    def create(tasks: BackgroundTasks):
        tasks.add_task(
            some_factory_with_a_very_long_name(1, 2, 3),
        )
    """
    (site,) = sites_of(tmp_path, shop=source)
    assert (site.line, site.end) == (4, 6)
    assert site.func == "some_factory_with_a_very_long_name(1,..."


def test_circular_names_end(tmp_path: Path) -> None:
    sites = sites_of(
        tmp_path,
        a="from b import X\nY = X\ndef create(t: X):\n    u = v\n    v = u\n    u.add_task(print)\n"
        "    t.add_task(print)",
        b="from a import Y\nX = Y\nclass Loop(Loop): ...\nLoop().add_task(print)",
    )
    assert [site.certain for site in sites] == [False, False]


def test_file_that_cannot_be_parsed(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def :", encoding="utf-8")
    project = Project([tmp_path / "bad.py", tmp_path / "gone.py"], tmp_path)
    assert project.broken == [tmp_path / "bad.py", tmp_path / "gone.py"]
    assert find_sites(project) == []
