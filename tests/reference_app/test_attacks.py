"""What somebody sends who means no good: each attack was tried, and is answered as here."""

import csv
import io
import struct
import zlib

import openpyxl
import pypdfium2
import pytest
from PIL import Image
from reference_lab import started_client
from smtp_sink import smtp_sink

from bgcheck_reference.images import transform
from bgcheck_reference.main import create_app
from bgcheck_reference.models import Notification
from bgcheck_reference.schemas_images import Plan
from bgcheck_reference.settings import Settings

WELCOME = {"kind": "welcome", "product": "x", "start_url": "https://example.com"}
EMAIL = {"recipients": ["ada@example.com"], "content": {"subject": "x", "body": "A longer text."}}
EXPORT = {"title": "x", "format": "csv", "since": "2000-01-01", "until": "2999-12-31"}
LINE_ENDS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


def mailing(**more):
    return {"recipients": [{"address": "ada@example.com"}], "content": WELCOME, **more}


class TestMail:
    """Into the headers, the envelope, or a second message."""

    @pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
    def test_nothing_ends_a_header(self, client, bgtasks, end):
        text = f"x{end}Bcc: eve@example.com"
        named = [{"address": "ada@example.com", "name": text}]
        for path, body in (
            ("/mailings", mailing(content={**WELCOME, "product": text})),
            ("/mailings", mailing(recipients=named)),
            ("/mailings", mailing(style={"signature": text})),
            ("/jobs/email", {**EMAIL, "content": {**EMAIL["content"], "subject": text}}),
            ("/send-email/reporting", {**EMAIL, "content": {**EMAIL["content"], "subject": text}}),
            ("/exports", {**EXPORT, "title": text}),
        ):
            assert client.post(path, json=body).status_code == 422
        assert bgtasks == []

    @pytest.mark.parametrize(
        "address",
        [
            "ada@example.com>\r\nRCPT TO:<eve@example.com",
            "ada@example.com,eve@example.com",
            "a@[::1]",
        ],
    )
    def test_nobody_else_is_written_to(self, client, bgtasks, address):
        body = mailing(recipients=[{"address": address}])
        assert client.post("/mailings", json=body).status_code == 422
        email = {**EMAIL, "recipients": [address]}
        assert client.post("/jobs/email", json=email).status_code == 422
        assert bgtasks == []

    @pytest.mark.parametrize("end", ["\r\n", "\n", "\r"], ids=ascii)
    def test_a_text_does_not_end_the_message(self, database_url, end):
        smuggled = end.join(["x", ".", "MAIL FROM:<eve@example.com>", "RCPT TO:<eve@example.com>",
                             "DATA", "Subject: y", "", "z", "."])  # fmt: skip
        email = {**EMAIL, "content": {"subject": "x", "body": smuggled}}
        content = {
            "kind": "maintenance",
            "service": "x",
            "starts_at": "2030-01-01T00:00:00Z",
            "ends_at": "2030-01-02T00:00:00Z",
            "impact": smuggled,
        }
        with smtp_sink() as sink:
            settings = Settings(
                database_url=database_url,
                smtp_host="localhost",
                smtp_port=sink.port,
                smtp_security="none",
            )
            with started_client(create_app(settings)) as client:
                client.post("/jobs/email", json=email)
                client.post("/mailings", json=mailing(content=content))
        assert sink.recipients == ["ada@example.com"] * 2
        for _, message in sink.received:
            assert "RCPT TO:<eve@example.com>" in message.get_body(("plain",)).get_content()

    def test_an_email_has_limits(self, client, bgtasks):
        for body in (
            {**EMAIL, "recipients": ["ada@example.com"] * 101},
            {**EMAIL, "content": {"subject": "x" * 501, "body": "y"}},
            {**EMAIL, "content": {"subject": "x", "body": "y" * 100_001}},
        ):
            assert client.post("/jobs/email", json=body).status_code == 422
        assert bgtasks == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/runs", '{"name": "\\ud800"}'),
        ("/runs", '{"name": "x", "levels": NaN}'),
        ("/runs", '{"name": "x", "levels": 1e400}'),
        ("/runs", '{"\\ud800": 1}'),
        ("/jobs/broadcast", '{"message": "\\udfff", "user_ids": [1]}'),
        ("/exports", '{"title": "\\ud800"}'),
    ],
)
def test_json_that_can_be_read_and_not_written(client, bgtasks, path, body):
    response = client.post(path, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert all(set(problem) == {"type", "loc", "msg"} for problem in response.json()["detail"])
    assert bgtasks == []


def picture(size=(60, 40), image_format="PNG", **options):
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, image_format, **options)
    return file.getvalue()


def with_chunk(kind, data):
    """Make a PNG with a chunk before its pixels."""
    png = picture()
    size, check = struct.pack(">I", len(data)), struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + size + kind + data + check + png[33:]


BOMB = zlib.compress(b"A" * 70_000_000, 9)
GIF_ON_A_SMALL_SCREEN = picture((2000, 2000), "GIF")
GIF_ON_A_SMALL_SCREEN = (
    GIF_ON_A_SMALL_SCREEN[:6] + struct.pack("<HH", 1, 1) + GIF_ON_A_SMALL_SCREEN[10:]
)


class TestUploads:
    """Into the processor, the memory, the disk, or the browser of somebody else."""

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(with_chunk(b"zTXt", b"k\0\0" + BOMB), id="text bomb"),
            pytest.param(with_chunk(b"iCCP", b"k\0\0" + BOMB), id="profile bomb"),
            pytest.param(GIF_ON_A_SMALL_SCREEN, id="frame larger than its screen"),
            pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="svg"),
            pytest.param(b"<!doctype html><script>alert(1)</script>", id="html"),
            pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0", id="postscript"),
            pytest.param(b"%PDF-1.4", id="pdf"),
            pytest.param(b"\x89PNG\r\n\x1a\n", id="only a signature"),
        ],
    )
    def test_refused_before_it_is_decoded(self, client, bgtasks, settings, data):
        settings.max_image_pixels = 1_000_000
        assert len(data) < settings.max_upload_bytes
        response = client.post("/images", files={"file": ("x.png", data, "image/png")})
        assert response.status_code == 415
        assert bgtasks == []
        assert not settings.image_directory.exists()

    @pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/x-php"])
    def test_what_the_client_calls_it_is_not_believed(self, client, kind):
        data = picture() + b"<script>alert(1)</script>"
        location = client.post("/images", files={"file": ("x.html", data, kind)}).headers[
            "location"
        ]
        content = client.get(f"{location}/content")
        assert content.headers["content-type"] == "image/jpeg"
        assert content.headers["x-content-type-options"] == "nosniff"
        assert b"script" not in content.content

    @pytest.mark.parametrize(
        "name",
        ["../../x", "..\\..\\x", "/etc/passwd", "x\r\nSet-Cookie: a=b", "\u202egnp.exe", "~/x"],
    )
    def test_no_name_leaves_the_directory_or_ends_a_header(self, client, settings, name):
        image = client.post("/images", files={"file": (name, picture())}).json()
        root = settings.image_directory
        kept = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        assert kept == {f"{image['id']}/upload", f"{image['id']}/result"}
        assert image["filename"].isprintable()
        assert not set(image["filename"]) & set("/\\\r\n:~")
        disposition = client.get(f"/images/{image['id']}/content").headers["content-disposition"]
        assert disposition == f'inline; filename="{image["id"]}.jpeg"'

    @pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (1, 1)])
    @pytest.mark.parametrize("fit", ["contain", "cover", "stretch"])
    def test_extreme_shapes(self, size, fit):
        _, (width, height) = transform(picture(size), Plan(width=800, height=800, fit=fit))
        assert 1 <= width <= 800
        assert 1 <= height <= 800

    @pytest.mark.parametrize("exif", [b"MM\0!junkjunk", b"MM", b"junkjunkjunk"])
    def test_broken_metadata_spoils_no_picture(self, exif):
        assert transform(with_chunk(b"eXIf", exif), Plan())[1] == (60, 40)
        webp = picture(image_format="WEBP", exif=b"Exif\0\0" + exif)
        assert transform(webp, Plan())[1] == (60, 40)

    def test_many_parts(self, client, bgtasks):
        fields = {f"field{number}": "x" for number in range(1001)}
        assert client.post("/images", files={"file": picture()}, data=fields).status_code == 400
        assert client.post("/images", files=[("file", picture())] * 1001).status_code == 400
        assert bgtasks == []


class TestExports:
    """Into the spreadsheet of whoever opens a report."""

    def made(self, client, database, message, file_format):
        with database.session_factory.begin() as db:
            db.add(Notification(user_id=1, message=message))
        body = {**EXPORT, "format": file_format, "sections": ["messages"]}
        location = client.post("/exports", json=body).headers["location"]
        report = client.get(location).json()
        assert (report["state"], report["error"]) == ("done", None)
        return client.get(f"{location}/file").content

    @pytest.mark.parametrize(
        ("message", "cell"),
        [
            ("=1+1", "'=1+1"),
            (" =1+1", "' =1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\uff1d1+1", "'\uff1d1+1"),
            ("\t=1+1", "'\t'=1+1"),
            ("x;=1+1;", "x;'=1+1;"),  # a spreadsheet may take the semicolon for the end of a cell
            ("x\t-1", "x\t'-1"),
            ("x\n+1", "x\n'+1"),
            ("1 + 1 = 2; fine", "1 + 1 = 2; fine"),
        ],
    )
    def test_no_cell_is_a_formula(self, client, database, message, cell):
        text = self.made(client, database, message, "csv").decode("utf-8-sig")
        *_, row = csv.reader(io.StringIO(text, newline=""))
        assert row[2] == cell
        book = openpyxl.load_workbook(
            io.BytesIO(self.made(client, database, message, "xlsx")), data_only=False
        )
        assert {found.data_type for row in book["Messages"] for found in row} <= {"s", "n"}

    @pytest.mark.parametrize(
        ("message", "shown"),
        [
            ("W" * 10_000, "W" * 20),
            ("l\n" * 5_000, "l l l"),
            ("\u200b" * 9_000 + "x", " ..."),
            ("\x1b[31mred", "[31mred"),
        ],
        ids=["word", "lines", "invisible", "control"],
    )
    def test_no_message_spoils_the_pdf(self, client, database, message, shown):
        content = self.made(client, database, message, "pdf")
        with pypdfium2.PdfDocument(content) as pdf:
            assert len(pdf) == 1
            page = pdf[0]
            text = page.get_textpage()
            assert shown.split()[0] in text.get_text_bounded()
            text.close()
            page.close()
