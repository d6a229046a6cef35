"""A server that is killed in the middle of its work, and another that ends it."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image
from reference_lab import LIMIT

from support import postgresql

EMAIL = {
    "recipients": ["ada@example.com"],
    "content": {"subject": "Welcome", "body": "Good to have you with us."},
}
MAILING = {
    "recipients": [{"address": "ada@example.com"}, {"address": "grace@example.com"}],
    "content": {"kind": "welcome", "product": "x", "start_url": "https://example.com"},
}
EXPORT = {"title": "March", "format": "csv", "since": "2026-03-01", "until": "2026-03-31"}


class Server:
    """The app behind uvicorn, in a process of its own."""

    def __init__(self, process):
        self.process, self.begun = process, []
        self.url = self.read(r"running on (http://\S+)")

    def read(self, pattern):
        """Read what it prints up to a line, and keep what has begun."""
        for line in self.process.stdout:
            if begun := re.match(r"BEGUN (\S+)", line):
                self.begun.append(begun[1])
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"The server ended without {pattern}")

    def post(self, path, **body):
        response = httpx.post(f"{self.url}{path}", timeout=LIMIT, **body)
        return response.headers["location"]


@contextmanager
def serving(tmp_path, database_url, **settings):
    """Run the app until the end of the block, and kill it then."""
    settings = {"DATABASE_URL": database_url, "SECONDS_PER_IMPORTANCE": "0", **settings}
    environment = {f"BGCHECK_{key}": value for key, value in settings.items()}
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "hanging_app:app", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, **environment, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        late = threading.Timer(6 * LIMIT, process.kill)  # or a test might read for ever
        late.start()
        try:
            yield Server(process)
        finally:
            late.cancel()
            process.kill()


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_url(request, tmp_path):
    """A database that outlives the app."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'killed.db'}"
        return
    pytest.importorskip("psycopg")
    with postgresql.server() as url:
        yield url


def picture():
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


def test_nothing_is_lost_when_the_process_is_killed(tmp_path, durable_url):
    hanging = {"TEST_HANG": "1", "JOB_SWEEP_SECONDS": "600", "CLAIM_SECONDS": "1"}
    with serving(tmp_path, durable_url, JOB_ATTEMPT_SECONDS="0.5", **hanging) as server:
        locations = [
            server.post("/mailings", json=MAILING),
            server.post("/jobs/email", json={**EMAIL, "recipients": ["linus@example.com"]}),
            server.post("/exports", json=EXPORT),
            server.post("/images", files={"file": ("x.png", picture())}),
            server.post("/runs", json={"name": "Lamp", "levels": 1}),
        ]
        wanted = {"grace@example.com", "linus@example.com", "write", "transform"}
        while not (wanted <= {*server.begun} and server.begun.count("do_step") == 4):
            server.read(r"BEGUN (\S+)")
        server.process.send_signal(signal.SIGKILL)
        assert server.process.wait(LIMIT) == -signal.SIGKILL
    with serving(tmp_path, durable_url, JOB_SWEEP_SECONDS="0.05", GRACE_SECONDS="0") as server:
        with httpx.Client(base_url=server.url, timeout=LIMIT) as http:
            for location in locations:
                while (row := http.get(location).json())["state"] not in {"done", "failed"}:
                    pass
                assert (row["state"], row["error"]) == ("done", None), location
            assert http.get(f"{locations[2]}/file").status_code == 200
            assert http.get(f"{locations[3]}/content").status_code == 200
        server.process.terminate()
        with pytest.raises(AssertionError, match="The server ended"):
            server.read("Traceback (.*)")
        # Who had the e-mail gets no second one, and no step is done twice.
        assert "ada@example.com" not in server.begun
        assert server.begun.count("do_step") == 10 - 3
