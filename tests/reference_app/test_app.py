"""The app as a whole: settings, database, documentation page, and the command that runs it."""

import os
import re
import subprocess
import sys
import urllib.request

import pytest
from pydantic import ValidationError

from bgcheck_reference.db import Database
from bgcheck_reference.main import create_app
from bgcheck_reference.settings import Settings

SCHEMA = create_app(Settings(database_url="sqlite:///never-opened.db")).openapi()
#: Their path parameter names what an earlier request created; the `Location` header leads there.
CREATED = {
    ("get", "/reports/{report_id}"),
    ("get", "/send-email/reporting/{delivery_id}"),
    ("get", "/mailings/{mailing_id}"),
    ("post", "/mailings/{mailing_id}/retry"),
    ("get", "/exports/{export_id}"),
    ("get", "/exports/{export_id}/file"),
    ("post", "/images"),  # takes a file, see test_exercise_images.py
    ("get", "/images/{image_id}"),
    ("get", "/images/{image_id}/content"),
    ("get", "/jobs/{job_id}"),
    ("post", "/jobs/{job_id}/rerun"),
    ("get", "/runs/{run_id}"),
    ("get", "/runs/{run_id}/events"),
}
OPERATIONS = {(method, path) for path, methods in SCHEMA["paths"].items() for method in methods}


def resolve(schema):
    while "$ref" in schema:
        schema = SCHEMA["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def examples(schema):
    """Return the examples of a schema, which may be a reference or have a default instead."""
    if "examples" in schema:
        return schema["examples"]
    (only,) = [part for part in [schema, *schema.get("allOf", [])] if "examples" in resolve(part)]
    return resolve(only)["examples"]


def requests_of(method, path):
    """Return a test parameter for each example body of an operation; one if it takes no body."""
    operation = SCHEMA["paths"][path][method]
    required = [p for p in operation.get("parameters", []) if p["required"]]
    values = {p["name"]: examples(p["schema"])[0] for p in required}
    query = {p["name"]: values[p["name"]] for p in required if p["in"] == "query"}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    bodies = examples(body["schema"]) if body else [None]
    return [
        pytest.param(method, path.format_map(values), query, example, id=f"{method} {path}")
        for example in bodies
    ]


DOCUMENTED_REQUESTS = [
    request for operation in sorted(OPERATIONS - CREATED) for request in requests_of(*operation)
]


def test_every_documented_pattern_is_there():
    assert {
        ("post", "/items/{item_id}"),
        ("post", "/process/"),
        ("get", "/logged-endpoint"),
        ("post", "/broadcast/"),
        ("post", "/broadcast/own-session"),
        ("post", "/broadcast/async-session"),
        ("get", "/users/{user_id}/notifications"),
        ("post", "/process/{processing_type}"),
        ("post", "/send-email/"),
        ("post", "/send-email/reporting"),
        ("post", "/reports"),
        ("post", "/mailings"),
        ("post", "/jobs/email"),
        ("post", "/jobs/broadcast"),
        ("get", "/jobs"),
        ("get", "/jobs/page"),
        ("post", "/runs"),
        ("get", "/progress"),
        ("post", "/exports"),
    } == OPERATIONS - CREATED


@pytest.mark.parametrize(("method", "path", "query", "body"), DOCUMENTED_REQUESTS)
def test_documented_example_works(client, method, path, query, body):
    response = client.request(method, path, params=query, json=body)
    assert response.is_success, response.text
    if "location" in response.headers:
        assert client.get(response.headers["location"]).json()["state"] == "done"


@pytest.mark.parametrize("path", ["/broadcast/", "/send-email/"])
def test_documented_ways_say_what_breaks(path):
    operation = SCHEMA["paths"][path]["post"]
    assert operation["summary"].endswith("(as documented)")
    assert "**As documented;" in operation["description"]


@pytest.mark.parametrize(
    "path", ["/broadcast/own-session", "/broadcast/async-session", "/send-email/reporting"]
)
def test_holding_ways_say_so(path):
    assert "**Holds on every version.**" in SCHEMA["paths"][path]["post"]["description"]


def test_documentation_page(client):
    page = client.get("/docs")
    assert page.status_code == 200
    assert "bgcheck reference app" in page.text


def test_two_apps_keep_their_data_apart(tmp_path):
    urls = [f"sqlite:///{tmp_path / name}" for name in ("one.db", "two.db")]
    one, two = (create_app(Settings(database_url=url)) for url in urls)
    assert one.state.database.engine.url != two.state.database.engine.url
    assert one.state.mailer is not two.state.mailer


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("BGCHECK_DATABASE_URL", "postgresql://db/app")
    monkeypatch.setenv("BGCHECK_SECONDS_PER_IMPORTANCE", "0.5")
    settings = Settings()
    assert settings.database_url == "postgresql://db/app"
    assert settings.seconds_per_importance == 0.5


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "'nonsense' is not a database URL such as sqlite:///app.db"),
        ("mysql://db/app", "'mysql' is not supported; use a sqlite or a postgresql URL"),
        (
            "sqlite://",
            "an in-memory SQLite database cannot be shared by the app's synchronous and "
            "asynchronous engines; name a file, such as sqlite:///app.db",
        ),
        ("sqlite:///:memory:", "name a file"),
    ],
)
def test_unusable_database_url(url, message):
    with pytest.raises(ValidationError, match=re.escape(message)):
        Settings(database_url=url)


@pytest.mark.parametrize(
    ("url", "sync", "asynchronous"),
    [
        ("sqlite:///a.db", "sqlite", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:///a.db", "sqlite", "sqlite+aiosqlite"),
        ("sqlite+pysqlite:///a.db", "sqlite+pysqlite", "sqlite+aiosqlite"),
    ],
)
def test_drivers(url, sync, asynchronous):
    database = Database.from_url(url)
    assert database.engine.url.drivername == sync
    assert database.async_engine.url.drivername == asynchronous


def test_demo_users_are_created_once(tmp_path):
    database = Database.from_url(f"sqlite:///{tmp_path / 'a.db'}")
    database.create_tables(demo_users=2)
    database.create_tables(demo_users=5)
    with database.engine.connect() as connection:
        names = connection.exec_driver_sql("SELECT name FROM users ORDER BY id").scalars().all()
    database.engine.dispose()
    assert names == ["Demo user 1", "Demo user 2"]


def test_sqlite_enforces_foreign_keys_and_lets_readers_read(client, database):
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_app_does_without_the_harness():
    code = "import sys; sys.modules['bgcheck'] = None; import bgcheck_reference.main"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_runs_under_uvicorn_without_setup(tmp_path):
    command = [sys.executable, "-m", "uvicorn", "bgcheck_reference.main:app", "--port", "0"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BGCHECK_")}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        log = []
        for line in server.stderr:
            log.append(line)
            if found := re.search(r"running on (http://\S+)", line):
                request = urllib.request.Request(f"{found[1]}/items/42", method="POST")
                with urllib.request.urlopen(request) as response:
                    assert response.status == 200
            if "Processing item 42 with action: create" in line:
                server.terminate()
    assert any("INFO    bgcheck_reference.tasks.items: Processing item 42" in line for line in log)
    assert (tmp_path / "bgcheck_reference.db").exists()
