"""A task that is chosen by a parameter."""

from typing import Any

import pytest

from bgcheck import BackgroundTasksLog, scheduled
from bgcheck_reference.tasks import content
from bgcheck_suites.marks import requirement

HANDLERS = {
    "image": content.process_image,
    "text": content.process_text,
    "video": content.process_video,
}


@requirement("BGR-SELECT-01")
@pytest.mark.parametrize("kind", HANDLERS)
def test_each_type_has_its_task(client: Any, bgtasks: BackgroundTasksLog, kind: str) -> None:
    data = {"filename": "a.txt", "content": "some words", "pages": 3}
    response = client.post(f"/process/{kind}", json=data)
    assert response.json() == {"status": "processing", "type": kind, "data_received": 3}
    assert bgtasks == [scheduled(HANDLERS[kind], data)]
    assert bgtasks.one().outcome == "succeeded"


@requirement("BGR-SELECT-02")
def test_an_unknown_type_schedules_nothing(client: Any, bgtasks: BackgroundTasksLog) -> None:
    assert client.post("/process/sound", json={}).status_code == 422
    assert bgtasks == []


@requirement("BGR-SELECT-03")
def test_a_type_without_a_task_schedules_nothing(
    client: Any, bgtasks: BackgroundTasksLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(content.TASK_HANDLERS, next(iter(content.TASK_HANDLERS)))
    assert client.post("/process/image", json={}).status_code == 400
    assert bgtasks == []
