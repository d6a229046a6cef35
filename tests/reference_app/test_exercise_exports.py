"""Reports as files, read back by what people open them with."""

import csv
import io
from datetime import datetime, timezone

import openpyxl
import pypdfium2
import pytest

from bgcheck import scheduled
from bgcheck_reference.claims import ClaimPolicy
from bgcheck_reference.exports.store import ExportStore, download_name
from bgcheck_reference.models import Notification
from bgcheck_reference.schemas_exports import ExportFormat
from bgcheck_reference.tasks import exports as tasks
from bgcheck_reference.tasks.exports import make_export

FORMULA = '=HYPERLINK("http://evil.example")'
ALL = ["summary", "users", "days", "messages"]
MARCH = {"since": "2026-03-01", "until": "2026-03-31"}


def at(day, hour=12, minute=0):
    return datetime(2026, 3, day, hour, minute, tzinfo=timezone.utc)


@pytest.fixture
def messages(client, database):
    """Notifications in and around March, the first of them with a formula."""
    rows = [
        (1, FORMULA, at(1, 0, 0)),
        (1, "+1 <script>alert(1)</script> ☂", at(31, 23, 59)),
        (2, "Привет\x01", at(1, 23, 30)),
        (2, "before", datetime(2026, 2, 28, 23, 59, tzinfo=timezone.utc)),
        (2, "after", datetime(2026, 4, 1, tzinfo=timezone.utc)),
    ]
    with database.session_factory.begin() as db:
        db.add_all(
            Notification(user_id=user, message=text, created_at=when) for user, text, when in rows
        )


def ask(client, file_format="csv", **more):
    body = {"title": "Notifications", "format": file_format, **MARCH, "sections": ALL, **more}
    return client.post("/exports", json=body)


def download(client, file_format, **more):
    location = ask(client, file_format, **more).headers["location"]
    report = client.get(location).json()
    assert (report["state"], report["error"]) == ("done", None)
    file = client.get(location + "/file")
    assert file.status_code == 200
    assert report["size"] == len(file.content)
    return file


@pytest.mark.usefixtures("messages")
def test_csv(client):
    file = download(client, "csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"), newline=""))) == [
        ["Notifications", "2026-03-01 to 2026-03-31"],
        [],
        ["Summary"],
        ["What", "Number"],
        ["Users", "3"],
        ["Users notified", "2"],
        ["Notifications", "3"],
        [],
        ["Users"],
        ["Id", "Name", "Notifications", "Unread"],
        ["1", "Demo user 1", "2", "2"],
        ["2", "Demo user 2", "1", "1"],
        ["3", "Demo user 3", "0", "0"],
        [],
        ["Days"],
        ["Day", "Notifications"],
        ["2026-03-01", "2"],
        ["2026-03-31", "1"],
        [],
        ["Messages"],
        ["Time (UTC)", "User", "Message"],
        ["2026-03-01 00:00", "Demo user 1", f"'{FORMULA}"],
        ["2026-03-31 23:59", "Demo user 1", "'+1 <script>alert(1)</script> ☂"],
        ["2026-03-01 23:30", "Demo user 2", "Привет\x01"],
    ]


@pytest.mark.usefixtures("messages")
def test_xlsx(client):
    file = download(client, "xlsx", title="=1+1")
    book = openpyxl.load_workbook(io.BytesIO(file.content))
    assert book.sheetnames == ["Summary", "Users", "Days", "Messages"]
    rows = [[cell.value for cell in row] for row in book["Users"]]
    assert rows[2:] == [
        ["Id", "Name", "Notifications", "Unread"],
        [1, "Demo user 1", 2, 2],
        [2, "Demo user 2", 1, 1],
        [3, "Demo user 3", 0, 0],
    ]
    message = book["Messages"]["C4"]
    assert (message.value, message.data_type) == (FORMULA, "s")
    assert book["Messages"]["A1"].data_type == "s"
    assert book["Messages"]["C6"].value == "Привет\ufffd"
    assert "f" not in {cell.data_type for sheet in book for row in sheet for cell in row}


@pytest.mark.usefixtures("messages")
def test_pdf(client):
    file = download(client, "pdf", title="Märzbericht")
    assert file.headers["content-type"] == "application/pdf"
    with pypdfium2.PdfDocument(file.content) as pdf:
        assert pdf.get_metadata_dict()["Title"] == "Märzbericht"
        page = pdf[0]
        text = page.get_textpage()
        words = text.get_text_bounded()
        text.close()
        page.close()
    for part in ("Märzbericht", "2026-03-01 to 2026-03-31", FORMULA, "Привет", "1 / 1"):
        assert part in words


@pytest.mark.usefixtures("messages")
def test_html(client):
    file = download(client, "html", title="<b>March</b>")
    assert "<h1>&lt;b&gt;March&lt;/b&gt;</h1>" in file.text
    assert "<script>" not in file.text
    assert '<td class="number">2</td>' in file.text
    assert file.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert file.headers["content-disposition"] == 'attachment; filename="b-March-b.html"'


@pytest.mark.parametrize(
    ("sections", "headings"),
    [(["days"], ["Days"]), (["users", "summary"], ["Users", "Summary"])],
)
def test_sections_in_the_order_asked_for(client, sections, headings):
    book = openpyxl.load_workbook(io.BytesIO(download(client, "xlsx", sections=sections).content))
    assert book.sheetnames == headings


@pytest.mark.usefixtures("messages")
def test_long_sections_are_cut_and_say_so(client, settings):
    settings.export_max_rows = 2
    lines = download(client, "csv").text.splitlines()
    assert "Users (only the first 2)" in lines
    assert "Messages (only the first 2)" in lines
    assert "Days" in lines
    book = openpyxl.load_workbook(io.BytesIO(download(client, "xlsx").content))
    assert book.sheetnames == ["Summary", "Users", "Days", "Messages"]


def test_scheduled_task(client, bgtasks, database, settings):
    export_id = ask(client).json()["id"]
    assert bgtasks == [
        scheduled(
            make_export,
            export_id,
            database.session_factory,
            ExportStore(settings.export_directory, settings.export_max_rows),
            ClaimPolicy(),
        )
    ]
    assert (bgtasks.one().outcome, bgtasks.one().thread) == ("succeeded", "worker")
    assert database.engine.pool.checkedout() == database.async_engine.pool.checkedout() == 0


def test_file_is_there_when_it_is_done(app, bgtasks):
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        location = ask(client).headers["location"]
        early = client.get(location + "/file")
        assert (early.status_code, early.json()) == (409, {"detail": "The report is pending"})
        gate.drain()
        assert client.get(location + "/file").status_code == 200


def test_failure_is_stored_and_logged(client, monkeypatch, caplog, settings):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(tasks, "write", fail)
    location = ask(client).headers["location"]
    report = client.get(location).json()
    assert (report["state"], report["error"]) == ("failed", "OSError: disk full")
    assert f"Report {report['id']} failed" in caplog.messages
    assert client.get(location + "/file").status_code == 409


def test_a_failed_write_leaves_no_file(settings, monkeypatch, tmp_path):
    store = ExportStore(tmp_path / "store")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        store.save("0" * 32, ExportFormat.CSV, b"x")
    assert list(store.directory.iterdir()) == []


def test_the_task_may_run_twice(client, database, settings):
    response = ask(client)
    first = client.get(response.headers["location"] + "/file").content
    store = ExportStore(settings.export_directory)
    make_export(response.json()["id"], database.session_factory, store, ClaimPolicy())
    assert client.get(response.headers["location"] + "/file").content == first
    assert len(list(settings.export_directory.iterdir())) == 1


def test_file_that_is_gone(client, settings):
    location = ask(client).headers["location"]
    for file in settings.export_directory.iterdir():
        file.unlink()
    assert client.get(location + "/file").status_code == 410


@pytest.mark.parametrize("name", ["none", "..%2f..%2fetc%2fpasswd", "../../etc/passwd"])
def test_unknown_report(client, name):
    assert client.get(f"/exports/{name}").status_code == 404
    assert client.get(f"/exports/{name}/file").status_code == 404


@pytest.mark.parametrize("export_id", ["../x", "/etc/passwd", "", "x"])
def test_no_id_leads_out_of_the_directory(tmp_path, export_id):
    with pytest.raises(ValueError, match="badly formed"):
        ExportStore(tmp_path).path(export_id, ExportFormat.CSV)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "etc-passwd.csv"),
        ('a"; filename="x.exe', "a-filename-x-exe.csv"),
        ("日本", "report.csv"),
        ("x" * 200, "x" * 80 + ".csv"),
    ],
)
def test_download_names_are_safe(title, name):
    assert download_name(title, ExportFormat.CSV) == name


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "docx"},
        {"since": "2026-04-01"},
        {"until": "9999-12-31"},
        {"sections": []},
        {"sections": ["days", "days"]},
        {"sections": ["passwords"]},
        {"title": "two\nlines"},
    ],
)
def test_invalid_input_is_refused_and_schedules_nothing(client, bgtasks, wrong):
    body = {"title": "x", "format": "csv", **MARCH, **wrong}
    assert client.post("/exports", json=body).status_code == 422
    assert bgtasks == []
