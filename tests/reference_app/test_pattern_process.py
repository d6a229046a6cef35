"""Parameters of several types."""

import threading
from unittest.mock import ANY

import pytest

from bgcheck import scheduled
from bgcheck_reference.schemas import Item
from bgcheck_reference.tasks import process
from bgcheck_reference.tasks.process import process_complex_task

ITEM = {"name": "Lamp", "description": "A desk lamp", "price": 39.9, "tags": ["home"]}


@pytest.fixture
def sleeps(monkeypatch):
    """What the task slept, and in which thread."""
    calls = []
    monkeypatch.setattr(
        process.time, "sleep", lambda seconds: calls.append((seconds, threading.get_ident()))
    )
    return calls


def test_answer_as_documented(client):
    response = client.post("/process/", params={"user_id": 7, "priority": 3}, json=ITEM)
    assert response.status_code == 200
    assert response.json() == {"status": "processing", "priority": 3}


def test_priority_is_one_unless_given(client):
    response = client.post("/process/", params={"user_id": 7}, json={"name": "Lamp", "price": 1})
    assert response.json() == {"status": "processing", "priority": 1}


def test_task_scheduled(client, bgtasks):
    client.post("/process/", params={"user_id": 7, "priority": 3}, json=ITEM)
    assert bgtasks == [
        scheduled(
            process_complex_task,
            Item(**ITEM),
            7,
            metadata={"timestamp": ANY, "source": "api_request"},
            importance=3,
            seconds_per_level=0,
        )
    ]
    assert bgtasks.one().outcome == "succeeded"


def test_task_gets_every_parameter(client, caplog):
    caplog.set_level("DEBUG", logger="bgcheck_reference")
    client.post("/process/", params={"user_id": 7, "priority": 3}, json=ITEM)
    lines = [r.message for r in caplog.records if r.name == process.__name__]
    assert lines[0] == "Processing Lamp for user 7"
    assert lines[1].startswith("Metadata: {'timestamp': '")
    assert lines[1].endswith("'source': 'api_request'}")
    assert lines[2] == "Processed Lamp at importance 3 (39.90, 1 tags)"


def test_work_grows_with_the_importance_and_the_setting(client, settings, sleeps):
    settings.seconds_per_importance = 1.5
    client.post("/process/", params={"user_id": 7, "priority": 4}, json=ITEM)
    assert [seconds for seconds, _ in sleeps] == [6.0]


def test_defaults_are_those_documented(sleeps):
    process_complex_task(Item(name="Lamp", price=1), 7, {})
    assert [seconds for seconds, _ in sleeps] == [2.0]


def test_blocking_work_runs_outside_the_event_loop(client, bgtasks, sleeps):
    client.post("/process/", params={"user_id": 7}, json=ITEM)
    ((_, sleeping_thread),) = sleeps
    assert sleeping_thread != client.portal.call(threading.get_ident)
    assert bgtasks.one().thread == "worker"


@pytest.mark.parametrize(
    ("params", "body"),
    [
        ({}, ITEM),
        ({"user_id": "x"}, ITEM),
        ({"user_id": 7, "priority": -1}, ITEM),
        ({"user_id": 7, "priority": 11}, ITEM),
        ({"user_id": 7}, {"name": "Lamp"}),
        ({"user_id": 7}, {**ITEM, "tags": "home"}),
    ],
)
def test_invalid_input_is_refused_and_schedules_nothing(client, bgtasks, params, body):
    assert client.post("/process/", params=params, json=body).status_code == 422
    assert bgtasks == []
