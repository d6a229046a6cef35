"""The image pipeline: what is refused, what is made, and where it is kept."""

from io import BytesIO

import pytest
from PIL import Image
from pydantic import ValidationError
from reference_lab import CommitError, started_client

from bgcheck import scheduled
from bgcheck_reference.claims import ClaimPolicy
from bgcheck_reference.image_stores import DirectoryStore, make_stores
from bgcheck_reference.images import sniff, transform
from bgcheck_reference.main import create_app
from bgcheck_reference.routes import images as routes
from bgcheck_reference.schemas_images import Plan, Storage
from bgcheck_reference.settings import Settings
from bgcheck_reference.tasks import images as tasks

REGION, ACCESS_KEY, SECRET = "eu-central-1", "AKIA-of-a-test", "s3cret-of-a-test"


def picture(size=(60, 40), image_format="PNG", mode="RGB", **options):
    """A file whose left half is red and whose right half is blue."""
    image = Image.new(mode, size, "blue")
    image.paste(Image.new(mode, (size[0] // 2, size[1]), "red"), (0, 0))
    output = BytesIO()
    image.save(output, image_format, **options)
    return output.getvalue()


def upload(client, data=None, name="cat.png", **form):
    files = {"file": (name, picture() if data is None else data)}
    return client.post("/images", files=files, data=form)


def result(client, **form):
    location = upload(client, format="png", **form).headers["location"]
    with Image.open(BytesIO(client.get(f"{location}/content").content)) as image:
        return image.convert("RGB")


def test_an_image_is_made(client, bgtasks, app, database):
    response = upload(client, width="30", height="30", filters=["grayscale", "blur"])
    assert response.status_code == 202
    image = client.get(response.headers["location"]).json()
    assert (image["state"], image["width"], image["height"]) == ("done", 30, 20)
    content = client.get(response.headers["location"] + "/content")
    assert content.headers["content-type"] == "image/jpeg"
    assert len(content.content) == image["size"]
    stores = app.state.image_stores
    assert bgtasks == [
        scheduled(tasks.make_image, image["id"], stores, database.session_factory, ClaimPolicy())
    ]
    assert bgtasks.one().thread == "worker"


@pytest.mark.parametrize(
    ("fit", "size"), [("contain", (30, 20)), ("cover", (30, 30)), ("stretch", (30, 30))]
)
def test_fits(client, fit, size):
    image = result(client, width="30", height="30", fit=fit)
    assert image.size == size
    assert image.getpixel((2, 10)) == (255, 0, 0)
    assert image.getpixel((27, 10)) == (0, 0, 255)


def test_filters(client):
    assert len(set(result(client, filters=["grayscale"]).getpixel((5, 5)))) == 1
    red, _, blue = result(client, filters=["blur"]).getpixel((30, 20))
    assert red > 0 < blue
    assert result(client, filters=["edges"]).getpixel((10, 10)) == (0, 0, 0)
    assert result(client, filters=["sharpen"]).getpixel((5, 5)) == (255, 0, 0)


def test_metadata_is_applied_and_left_out():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010E] = "taken at home"
    for image_format in ("jpeg", "png", "webp"):
        data, size = transform(picture(image_format="JPEG", exif=exif), Plan(format=image_format))
        assert size == (40, 60)
        with Image.open(BytesIO(data)) as image:
            assert not image.getexif()


def test_transparency_becomes_white_in_jpeg():
    output = BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(output, "PNG")
    data, _ = transform(output.getvalue(), Plan())
    with Image.open(BytesIO(data)) as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "Not an image of the formats JPEG, PNG, WEBP, GIF"),
        (b"<svg onload=alert(1)>", "Not an image of the formats JPEG, PNG, WEBP, GIF"),
        (picture(image_format="BMP"), "Not an image of the formats JPEG, PNG, WEBP, GIF"),
        (picture((101, 100)), "The image has more than 10000 pixels"),
    ],
)
def test_what_is_no_acceptable_image_is_refused(client, bgtasks, settings, data, detail):
    settings.max_image_pixels = 10_000
    response = upload(client, data, name="cat.png")
    assert (response.status_code, response.json()) == (415, {"detail": detail})
    assert bgtasks == []
    assert not settings.image_directory.exists()


def test_decompression_bomb_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match="The image has more than 20 pixels"):
        sniff(picture(), 20)


@pytest.mark.parametrize(("extra", "status"), [(0, 202), (1, 413)])
def test_largest_upload(client, bgtasks, settings, extra, status):
    data = picture() + b"\0" * 1000
    settings.max_upload_bytes = len(data) - extra
    assert upload(client, data).status_code == status
    assert len(bgtasks) == 1 - extra


def test_a_body_that_is_too_large_is_not_read_to_its_end(client, bgtasks, settings):
    settings.max_upload_bytes = 10
    read = []

    def body():
        for _ in range(1000):
            read.append(1)
            yield b"x" * 10_000

    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = client.post("/images", content=body(), headers=headers)
    assert response.status_code == 413
    assert response.json() == {"detail": "The upload has more than 10 bytes"}
    assert bgtasks == []


@pytest.mark.parametrize(
    "form", [{"width": "0"}, {"height": "5000"}, {"fit": "x"}, {"filters": "x"}, {"format": "bmp"}]
)
def test_invalid_parameters_are_refused_and_schedule_nothing(client, bgtasks, form):
    assert upload(client, **form).status_code == 422
    assert bgtasks == []


def test_a_store_that_is_not_set_up(client, bgtasks):
    response = upload(client, storage="s3")
    assert response.status_code == 400
    assert response.json() == {"detail": "The storage 's3' is not set up"}
    assert bgtasks == []


def test_a_name_leads_nowhere(client, settings):
    image = upload(client, name="../../etc/<passwd>.png").json()
    assert image["filename"] == ".._.._etc__passwd_.png"
    paths = {
        p.relative_to(settings.image_directory).as_posix()
        for p in settings.image_directory.rglob("*")
        if p.is_file()
    }
    assert paths == {f"{image['id']}/upload", f"{image['id']}/result"}


def test_a_broken_image_fails_where_everybody_can_see_it(client, caplog):
    data = picture((400, 400), "JPEG")
    location = upload(client, data[: len(data) // 2]).headers["location"]
    image = client.get(location).json()
    assert image["state"] == "failed"
    assert image["error"].startswith("OSError: ")
    assert client.get(f"{location}/content").json() == {"detail": "The image is failed"}
    (error,) = [r for r in caplog.records if r.levelname == "ERROR"]
    assert error.getMessage() == f"Image {image['id']} failed"


def test_pending_image(app, bgtasks):
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        location = upload(client).headers["location"]
        assert client.get(f"{location}/content").status_code == 409
        gate.drain()
        assert client.get(f"{location}/content").status_code == 200


def test_unknown_image(client):
    for path in ("/images/none", "/images/none/content"):
        assert client.get(path).json() == {"detail": "No such image"}


def test_nothing_is_kept_of_an_image_that_was_not_stored(client, bgtasks, failing_commit, settings):
    with pytest.raises(CommitError):
        upload(client)
    assert bgtasks == []
    assert not [path for path in settings.image_directory.rglob("*") if path.is_file()]


def test_no_connection_is_held_during_the_work(client, database, monkeypatch):
    held = []

    def transform(data, plan):
        held.append(database.engine.pool.checkedout())
        return data, (1, 1)

    monkeypatch.setattr(tasks, "transform", transform)
    upload(client)
    assert held == [0]


def test_real_server(live):
    location = upload(live.http).headers["location"]
    assert live.wait() is None
    assert live.http.get(location).json()["state"] == "done"
    assert live.app.state.settings.max_upload_bytes > routes.FORM_BYTES


@pytest.fixture(scope="module")
def s3_settings():
    """Settings for a real server that speaks S3."""
    boto3 = pytest.importorskip("boto3")
    moto_server = pytest.importorskip("moto.server")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET}
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION, **keys)
    client.create_bucket(Bucket="images", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.close()
    yield Settings(
        s3_bucket="images",
        s3_endpoint_url=endpoint,
        s3_region=REGION,
        s3_access_key_id=ACCESS_KEY,
        s3_secret_access_key=SECRET,
    )
    server.stop()


@pytest.fixture(params=["directory", "s3"])
def store(request, tmp_path):
    """Each store, made as the settings say."""
    if request.param == "directory":
        yield DirectoryStore(tmp_path / "images")
        return
    store = make_stores(request.getfixturevalue("s3_settings"))[Storage.S3]
    yield store
    store.close()


def test_stores(store):
    store.put("a-1/upload", b"one")
    store.put("a-1/upload", b"two")
    assert store.get("a-1/upload") == b"two"
    store.delete("a-1/upload")
    store.delete("a-1/upload")
    with pytest.raises(Exception, match="No such file|NoSuchKey"):
        store.get("a-1/upload")
    for key in ("../x", "/etc/passwd", "a/../b", "a//b", "A", ".", "a.b", "a\0", "a\n", ""):
        with pytest.raises(ValueError, match="is not a key of an image store"):
            store.put(key, b"")


def test_pipeline_on_s3(settings, s3_settings):
    app = create_app(settings.model_copy(update=dict(s3_fields(s3_settings))))
    with started_client(app) as client:
        assert result(client, storage="s3", width="30").size == (30, 20)
        assert result(client, storage="directory", width="30").size == (30, 20)
        image = upload(client, storage="s3").json()
    keys = {f"{image['id']}/upload", f"{image['id']}/result"}
    assert keys <= stored_keys(s3_settings)
    assert SECRET not in repr(app.state.settings)


def s3_fields(settings):
    return {(name, value) for name, value in settings if name.startswith("s3_")}


def stored_keys(settings):
    store = make_stores(settings)[Storage.S3]
    listed = store._client.list_objects_v2(Bucket=settings.s3_bucket)
    store.close()
    return {found["Key"] for found in listed["Contents"]}


def test_a_wrong_key_is_a_visible_failure(settings, s3_settings):
    wrong = {**dict(s3_fields(s3_settings)), "s3_bucket": "nowhere"}
    app = create_app(settings.model_copy(update=wrong))
    with started_client(app) as client, pytest.raises(Exception, match="NoSuchBucket"):
        upload(client, storage="s3")


def test_half_a_key_is_refused():
    with pytest.raises(ValidationError, match="belong together: give both or none"):
        Settings(s3_access_key_id="x")
