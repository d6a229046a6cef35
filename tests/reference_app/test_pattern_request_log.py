"""Facts of the request as parameters."""

import anyio
import pytest

from bgcheck import scheduled
from bgcheck_reference.tasks.request_log import log_request


def logged(caplog):
    return [r.message for r in caplog.records if r.name == "bgcheck_reference.tasks.request_log"]


def test_answer_as_documented(client):
    response = client.get("/logged-endpoint")
    assert response.status_code == 200
    assert response.json() == {"message": "This request will be logged"}


def test_task_scheduled(client, bgtasks):
    client.get("/logged-endpoint", params={"a": "1"}, headers={"user-agent": "curl"})
    assert bgtasks == [scheduled(log_request, "/logged-endpoint", {"a": "1"}, "curl", "testclient")]
    assert bgtasks.one().request.route == "/logged-endpoint"


def test_task_logs_the_facts(client, caplog):
    client.get("/logged-endpoint", params={"a": "1"}, headers={"user-agent": "curl"})
    assert logged(caplog) == [
        "Request to /logged-endpoint: query {'a': '1'}, user agent curl, client testclient"
    ]


def test_real_client_has_an_address(live, caplog):
    live.http.get("/logged-endpoint", headers={"user-agent": "curl"})
    assert live.wait() is None
    assert logged(caplog) == [
        "Request to /logged-endpoint: query {}, user agent curl, client 127.0.0.1"
    ]


@pytest.mark.parametrize("client_address", [None, ("10.0.0.1", 1)])
def test_a_request_may_have_no_client_and_no_user_agent(app, caplog, client_address):
    caplog.set_level("INFO", logger="bgcheck_reference")
    sent = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/logged-endpoint",
        "query_string": b"",
        "headers": [],
        "client": client_address,
    }

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    anyio.run(app, scope, receive, send)
    address = client_address[0] if client_address else None
    assert sent[0]["status"] == 200
    assert logged(caplog) == [
        f"Request to /logged-endpoint: query {{}}, user agent None, client {address}"
    ]


def test_task_alone(caplog):
    caplog.set_level("INFO", logger="bgcheck_reference")
    anyio.run(log_request, "/x", {}, "curl", "10.0.0.1")
    assert logged(caplog) == ["Request to /x: query {}, user agent curl, client 10.0.0.1"]
