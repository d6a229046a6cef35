"""BG306: a file was closed before the task got to it."""

from __future__ import annotations

import fastapi
import pytest
from checks_lab import Lab

CLOSES_UPLOADS_BEFORE_TASKS = (
    (0, 106)
    <= tuple(map(int, fastapi.__version__.split(".")[:2]))
    < (
        0,
        118,
    )
)

HEAD = """
import io, tempfile
from pathlib import Path
from fastapi import UploadFile

FOUND = []
async def read(file):
    FOUND.append(await file.read())
async def read_quietly(file):
    try:
        FOUND.append(await file.read())
    except ValueError:
        pass
async def rewind_and_read(file):
    await file.seek(0)
    FOUND.append(await file.read())
def read_inner(file): FOUND.append(file.file.read())
def read_plain(file): FOUND.append(file.read())
def read_lines(file): FOUND.append(list(file))
def read_wrapped(file):
    try:
        file.read()
    except ValueError as error:
        raise RuntimeError("no import") from error
def name(file): FOUND.append(file.filename)
def close(file): file.close()
def keep(*args): FOUND.append(args)

def test_uploads():
    with TestClient(app, raise_server_exceptions=False) as client:
        client.post("/files", files={"file": ("a.txt", b"abc")})
"""

UPLOAD = """
@app.post("/files")
async def upload(file: UploadFile, tasks: BackgroundTasks):
    BODY
"""

FAULTY = {
    "an async read": "await file.close()\n    tasks.add_task(read, file)",
    "a read that swallows the error": "await file.close()\n    tasks.add_task(read_quietly, file)",
    "a rewind": "await file.close()\n    tasks.add_task(rewind_and_read, file)",
    "the file inside": "file.file.close()\n    tasks.add_task(read_inner, file)",
    "handed over alone": "file.file.close()\n    tasks.add_task(read_plain, file.file)",
    "by a loop": "file.file.close()\n    tasks.add_task(read_lines, file.file)",
    "captured": "await file.close()\n    tasks.add_task(lambda: file.file.read())",
    "closed after scheduling": "tasks.add_task(read, file)\n    await file.close()",
    "a file on disk": "with open(__file__) as x: tasks.add_task(read_plain, x)",
    "a binary file": "with open(__file__, 'rb') as x: tasks.add_task(read_plain, x)",
    "a loop over a file": "with open(__file__) as x: tasks.add_task(read_lines, x)",
    "a buffer": "x = io.BytesIO(b'a')\n    x.close()\n    tasks.add_task(read_plain, x)",
    "text": "x = io.StringIO('a')\n    x.close()\n    tasks.add_task(read_plain, x)",
    "a temporary file": "with tempfile.TemporaryFile() as x: tasks.add_task(read_plain, x)",
    "an error behind another": "with open(__file__) as x: tasks.add_task(read_wrapped, x)",
    "in a dict": "with open(__file__) as x:\n"
    "        tasks.add_task(lambda d: d['x'].read(), {'x': x})",
}


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, body: str) -> None:
    app = UPLOAD.replace("BODY", body)
    lab.assert_found("BG306", HEAD + app, test="", line="add_task")


def test_message(lab: Lab) -> None:
    app = UPLOAD.replace("BODY", "await file.close()\n    tasks.add_task(read, file)")
    finding = lab.assert_found("BG306", HEAD + app, test="")
    assert finding["message"] == ("read uses file, which was closed before the task started.")
    label, place = finding["evidence"][0]
    assert label == "read called"
    assert place.endswith(" in read")


def test_the_framework_closes_uploads(lab: Lab) -> None:
    """FastAPI 0.106 to 0.117 closes the form before the tasks run; the others after them."""
    app = HEAD + UPLOAD.replace("BODY", "tasks.add_task(read, file)")
    if CLOSES_UPLOADS_BEFORE_TASKS:
        lab.assert_found("BG306", app, test="", line="add_task")
    else:
        lab.assert_silent(app, test="")


SILENT = {
    "the content": "tasks.add_task(keep, await file.read())",
    "only the name": "await file.close()\n    tasks.add_task(name, file)",
    "never touched": "with open(__file__) as x: tasks.add_task(keep, x)",
    "closed again": "await file.close()\n    tasks.add_task(close, file.file)",
    "a file that is open": "tasks.add_task(read_plain, open(__file__))",
    "a buffer of its own": "tasks.add_task(read_plain, io.BytesIO(await file.read()))",
    "closed by the task": "x = open(__file__)\n    tasks.add_task(lambda: (x.read(), x.close()))",
    "the method": "x = open(__file__)\n    tasks.add_task(x.close)",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(HEAD + UPLOAD.replace("BODY", body), test="")


def test_another_value_error(lab: Lab) -> None:
    app = "def work(x): raise ValueError('closed')\n" + UPLOAD.replace(
        "BODY", "with open(__file__) as x: tasks.add_task(work, x)"
    )
    assert lab.run(HEAD + app, test="").codes == ["BG201"]


def test_read_by_the_task_after_its_own_close(lab: Lab) -> None:
    app = "def work(x):\n    x.close()\n    x.read()\n" + UPLOAD.replace(
        "BODY", "tasks.add_task(work, open(__file__))"
    )
    assert lab.run(HEAD + app, test="").codes == ["BG201"]
