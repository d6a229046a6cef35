"""Parameters: simple ones, several types, facts of the request."""

from typing import Any

import pytest

from bgcheck import BackgroundTasksLog, scheduled
from bgcheck_reference.schemas import Item
from bgcheck_reference.tasks.items import process_item
from bgcheck_reference.tasks.process import process_complex_task
from bgcheck_reference.tasks.request_log import log_request
from bgcheck_suites.marks import requirement

LAMP: dict[str, Any] = {"name": "Lamp", "price": 39.9, "tags": ["home"]}


@requirement("BGR-ITEM-01")
def test_simple_parameters(client: Any, bgtasks: BackgroundTasksLog) -> None:
    assert client.post("/items/42").status_code == 200
    assert bgtasks == [scheduled(process_item, 42, action="create")]
    assert bgtasks.one(process_item).outcome == "succeeded"


@requirement("BGR-ITEM-02")
def test_an_invalid_item_schedules_nothing(client: Any, bgtasks: BackgroundTasksLog) -> None:
    assert client.post("/items/many").status_code == 422
    assert bgtasks == []


@requirement("BGR-TYPES-01")
def test_model_number_and_dictionary(client: Any, bgtasks: BackgroundTasksLog) -> None:
    assert client.post("/process/?user_id=7", json=LAMP).status_code == 200
    task = bgtasks.one(process_complex_task, item=Item(**LAMP), user_id=7)
    assert task.params["metadata"]["source"] == "api_request"
    assert task.outcome == "succeeded"


@requirement("BGR-TYPES-02")
@pytest.mark.parametrize(("query", "importance"), [("", 1), ("&priority=3", 3)])
def test_a_default_and_a_value_of_the_client(
    client: Any, bgtasks: BackgroundTasksLog, query: str, importance: int
) -> None:
    client.post(f"/process/?user_id=7{query}", json=LAMP)
    bgtasks.expect(process_complex_task, times=1, importance=importance)


@requirement("BGR-TYPES-03")
@pytest.mark.parametrize("body", [{}, {"name": "Lamp"}, {"name": "Lamp", "price": "dear"}])
def test_an_invalid_model_schedules_nothing(
    client: Any, bgtasks: BackgroundTasksLog, body: dict[str, str]
) -> None:
    assert client.post("/process/?user_id=7", json=body).status_code == 422
    assert bgtasks == []


@requirement("BGR-REQUEST-01")
def test_facts_of_the_request(client: Any, bgtasks: BackgroundTasksLog) -> None:
    client.get("/logged-endpoint?page=2", headers={"user-agent": "probe"})
    task = bgtasks.one(
        log_request, path="/logged-endpoint", query_params={"page": "2"}, user_agent="probe"
    )
    # What TestClient calls its own address differs between versions of Starlette.
    assert task.params["client_ip"] in ("testclient", None)
    assert task.outcome == "succeeded"
