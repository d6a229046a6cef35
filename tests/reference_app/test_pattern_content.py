"""A task chosen by a parameter."""

import pytest

from bgcheck import scheduled
from bgcheck_reference.schemas import ProcessingType
from bgcheck_reference.tasks.content import TASK_HANDLERS


def logged(caplog):
    return [r.message for r in caplog.records if r.name == "bgcheck_reference.tasks.content"]


@pytest.mark.parametrize("kind", ["image", "text", "video"])
def test_answer_as_documented(client, kind):
    response = client.post(f"/process/{kind}", json={"filename": "a.png", "any": {"thing": 1}})
    assert response.status_code == 200
    assert response.json() == {"status": "processing", "type": kind, "data_received": 2}


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("image", {"filename": "cat.png"}, "Processing image cat.png (PNG)"),
        ("video", {"filename": "cat.mp4"}, "Processing video cat.mp4 (MP4)"),
        ("video", {}, "Processing video None (unknown format)"),
        ("text", {"content": "two words"}, "Processing text: 9 characters, 2 words"),
        ("text", {"content": None}, "Processing text: 0 characters, 0 words"),
        ("text", {}, "Processing text: 0 characters, 0 words"),
    ],
)
def test_the_task_of_the_type_runs(client, bgtasks, caplog, kind, data, line):
    assert client.post(f"/process/{kind}", json=data).json()["data_received"] == len(data)
    assert bgtasks == [scheduled(TASK_HANDLERS[ProcessingType(kind)], data)]
    assert logged(caplog) == [line]


def test_every_type_has_a_task():
    assert set(TASK_HANDLERS) == set(ProcessingType)


def test_a_type_without_a_task_is_refused(client, bgtasks, monkeypatch):
    monkeypatch.delitem(TASK_HANDLERS, ProcessingType.VIDEO)
    response = client.post("/process/video", json={})
    assert response.status_code == 400
    assert response.json() == {"detail": "Unsupported processing type"}
    assert bgtasks == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [("audio", {}), ("text", {"content": 3}), ("image", {"filename": []}), ("text", [])],
)
def test_invalid_input_is_refused_and_schedules_nothing(client, bgtasks, kind, data):
    assert client.post(f"/process/{kind}", json=data).status_code == 422
    assert bgtasks == []
