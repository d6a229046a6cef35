"""BG307: a file was at its end when the task read it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from checks_lab import Lab

from bgcheck.recorder.files import is_at_end

HEAD = """
import csv, functools, io, json, shutil, tempfile
from pathlib import Path

class Upload:
    pass

FOUND = []
async def read(file): FOUND.append(await file.read())
async def read_in_parts(file):
    while part := await file.read(2): FOUND.append(part)
async def rewind_and_read(file):
    await file.seek(0)
    FOUND.append(await file.read())
async def size_and_read(file):
    file.file.seek(0, 2)
    file.file.seek(0)
    FOUND.append(await file.read())
def read_inner(file): FOUND.append(file.file.read())
def read_plain(file): FOUND.append(file.read())
def read_loop(file):
    for line in file: FOUND.append(line)
def read_csv(file):
    for row in csv.reader(file): FOUND.append(row)
def copy(file): shutil.copyfileobj(file, io.BytesIO())
def rewind_plain(file):
    file.seek(0)
    FOUND.append(file.read())
def value(buffer): FOUND.append(buffer.getvalue())
def close(file): file.close()
def name(file): FOUND.append(file.name)
def append(file): file.write(b"more")
def pass_on(file): rewind_plain(file)
def keep(*args): FOUND.append(args)

@app.post("/files")
async def upload(request: __import__("starlette").requests.Request, tasks: BackgroundTasks):
    form = await request.form()
    file = form["file"]
    BODY

def test_uploads():
    with TestClient(app, raise_server_exceptions=False) as client:
        client.post("/files", files={"file": ("a.txt", CONTENT)})
"""


def app(body: str, content: str = "b'a,b'") -> str:
    return HEAD.replace("BODY", body).replace("CONTENT", content)


FAULTY = {
    "an upload": "await file.read()\n    tasks.add_task(read, file)",
    "an upload in parts": "await file.read()\n    tasks.add_task(read_in_parts, file)",
    "the file inside": "await file.read()\n    tasks.add_task(read_inner, file)",
    "handed over alone": "await file.read()\n    tasks.add_task(read_plain, file.file)",
    "read in a loop": "await file.read()\n    tasks.add_task(read_loop, file.file)",
    "copied": "await file.read()\n    tasks.add_task(copy, file.file)",
    "captured": "await file.read()\n    tasks.add_task(lambda: file.file.read())",
    "read after scheduling": "tasks.add_task(read, file)\n    await file.read()",
    "by an earlier task": "tasks.add_task(read_inner, file)\n    tasks.add_task(read, file)",
    "a big upload": "await file.read()\n    await file.write(b'a' * 2_000_000)\n"
    "    tasks.add_task(read, file)",
    "a text file": "x = open(__file__)\n    x.read()\n    tasks.add_task(read_plain, x)",
    "a loop over a text file": "x = open(__file__)\n    x.read()\n    tasks.add_task(read_loop, x)",
    "a csv file": "x = open(__file__)\n    list(x)\n    tasks.add_task(read_csv, x)",
    "a binary file": "x = open(__file__, 'rb')\n    x.read()\n    tasks.add_task(read_plain, x)",
    "a buffer": "x = io.BytesIO()\n    x.write(b'a')\n    tasks.add_task(read_plain, x)",
    "text in memory": "x = io.StringIO()\n    x.write('a')\n    tasks.add_task(read_loop, x)",
    "a temporary file": "x = tempfile.TemporaryFile()\n    x.write(b'a')\n    x.flush()\n"
    "    tasks.add_task(read_plain, x)",
    "a spooled file": "x = tempfile.SpooledTemporaryFile()\n    x.write(b'a')\n"
    "    tasks.add_task(read_plain, x)",
}

SILENT = {
    "rewound by the endpoint": "await file.read()\n    await file.seek(0)\n"
    "    tasks.add_task(read, file)",
    "rewound by the task": "await file.read()\n    tasks.add_task(rewind_and_read, file)",
    "asked for its size first": "await file.read()\n    tasks.add_task(size_and_read, file)",
    "read for the first time": "tasks.add_task(read, file)",
    "read in parts": "tasks.add_task(read_in_parts, file)",
    "read for the first time, inside": "tasks.add_task(read_inner, file)",
    "the content": "tasks.add_task(keep, await file.read())",
    "not read": "await file.read()\n    tasks.add_task(keep, file)",
    "a part is left": "await file.read(1)\n    tasks.add_task(read, file)",
    "a file rewound by the task": "x = open(__file__)\n    x.read()\n"
    "    tasks.add_task(rewind_plain, x)",
    "a file rewound further on": "x = open(__file__)\n    x.read()\n    tasks.add_task(pass_on, x)",
    "a file rewound by the endpoint": "x = open(__file__)\n    x.read()\n    x.seek(0)\n"
    "    tasks.add_task(read_plain, x)",
    "the value of a buffer": "x = io.BytesIO()\n    x.write(b'a')\n    tasks.add_task(value, x)",
    "closed": "x = open(__file__)\n    x.read()\n    tasks.add_task(close, x)",
    "its name": "x = open(__file__)\n    x.read()\n    tasks.add_task(name, x)",
    "a file to write to": "x = tempfile.TemporaryFile()\n    x.write(b'a')\n"
    "    tasks.add_task(append, x)",
}


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_at_its_end(lab: Lab, body: str) -> None:
    outcome = lab.run(app(body), test="", select="BG307")
    (finding,) = outcome.findings
    assert "at its end" in finding["message"]


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    outcome = lab.run(app(body), test="", select="BG307")
    assert outcome.findings == []
    assert outcome.result.ret == pytest.ExitCode.OK


def test_alone_and_in_words(lab: Lab) -> None:
    body = "await file.read()\n    tasks.add_task(read, file)"
    finding = lab.assert_found("BG307", app(body), test="", line="add_task(read, file)")
    assert finding["message"] == "read reads a file that is at its end: it gets nothing."
    assert finding["evidence"][0][0] == "read called"


def test_an_empty_file(lab: Lab) -> None:
    body = "await file.read()\n    tasks.add_task(read, file)"
    lab.assert_silent(app(body, content="b''"), test="")


def test_looking_moves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("äb\nc\n", encoding="utf-8")
    for opened in (path.open(encoding="utf-8"), path.open("rb"), io.StringIO("äb\nc\n")):
        with opened as file:
            first, where = file.readline(), file.tell()
            assert not is_at_end(file)
            assert file.tell() == where
            assert len(first + file.read()) == (6 if isinstance(first, bytes) else 5)
            assert is_at_end(file)


def test_a_file_that_holds_back_what_was_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("w+", encoding="utf-8") as file:
        file.write("a")
        assert not is_at_end(file)
        assert path.read_text(encoding="utf-8") == ""
