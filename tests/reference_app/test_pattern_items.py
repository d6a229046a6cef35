"""Simple parameters."""

import logging

import pytest

from bgcheck import scheduled
from bgcheck_reference.tasks.items import process_item


def test_answer_as_documented(client):
    response = client.post("/items/42")
    assert response.status_code == 200
    assert response.json() == {"message": "Item creation initiated"}


def test_task_scheduled(client, bgtasks):
    client.post("/items/42")
    assert bgtasks == [scheduled(process_item, 42, action="create")]
    assert bgtasks.one().outcome == "succeeded"


def test_task_logs_the_item_and_the_action(client, caplog):
    client.post("/items/42")
    assert (
        "bgcheck_reference.tasks.items",
        logging.INFO,
        "Processing item 42 with action: create",
    ) in caplog.record_tuples


def test_invalid_item_is_refused_and_schedules_nothing(client, bgtasks):
    assert client.post("/items/many").status_code == 422
    assert bgtasks == []


@pytest.mark.parametrize("action", ["create", "delete"])
def test_task_alone(action, caplog):
    caplog.set_level("INFO")
    process_item(1, action)
    assert caplog.messages == [f"Processing item 1 with action: {action}"]
