"""The settings of a mail server, each against a real one: TLS, certificates, login."""

import ssl

import pytest
from pydantic import ValidationError
from reference_lab import started_client
from smtp_sink import LOGIN, PASSWORD, smtp_sink

from bgcheck_reference.main import create_app
from bgcheck_reference.settings import Settings

trustme = pytest.importorskip("trustme")

MAILING = {
    "recipients": [{"address": "ada@example.com"}],
    "content": {"kind": "welcome", "product": "x", "start_url": "https://example.com"},
}
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
SECURITY = pytest.mark.parametrize("security", ["starttls", "tls"])


class Authority:
    """Who signs certificates, and the file that has its own."""

    def __init__(self, directory):
        self.authority = trustme.CA()
        self.file = directory / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.file))

    def options(self, security, name="localhost"):
        """Make the options of a server with a certificate for a name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        if security == "tls":
            return {"ssl_context": context}
        return {"tls_context": context, "require_starttls": True}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def login(security):
    # It does not know of the TLS below it, and then warns of a login in the clear.
    return {**LOGIN, "auth_require_tls": security == "starttls"}


def sent(database_url, sink, **settings):
    """Send a mailing; return its state and what is known of its recipient."""
    settings = Settings(
        database_url=database_url,
        smtp_host="localhost",
        smtp_port=sink.port,
        mail_attempts=1,
        **settings,
    )
    with started_client(create_app(settings)) as client:
        location = client.post("/mailings", json=MAILING).headers["location"]
        mailing = client.get(location).json()
    return mailing["state"], mailing["recipients"][0]["error"]


@SECURITY
def test_message_travels_over_tls(database_url, authority, security):
    with smtp_sink(**authority.options(security)) as sink:
        outcome = sent(database_url, sink, smtp_security=security, smtp_ca_file=authority.file)
    assert outcome == ("done", None)
    assert sink.secure == [True]


@SECURITY
def test_login_over_tls(database_url, authority, security, caplog):
    caplog.set_level("DEBUG")
    with smtp_sink(**authority.options(security), **login(security)) as sink:
        outcome = sent(
            database_url,
            sink,
            smtp_security=security,
            smtp_ca_file=authority.file,
            smtp_username="app",
            smtp_password=PASSWORD,
        )
    assert outcome == ("done", None)
    assert (sink.secure, sink.logins) == ([True], ["app"])
    assert PASSWORD not in caplog.text


@SECURITY
@pytest.mark.parametrize(
    ("name", "trusted", "error"),
    [("localhost", False, "unable to get local issuer"), ("other.example", True, "mismatch")],
)
def test_a_server_that_is_not_the_right_one_gets_nothing(
    database_url, authority, security, name, trusted, error
):
    """Neither the login nor the message is sent to a server with a wrong certificate."""
    ca_file = authority.file if trusted else None
    with smtp_sink(**authority.options(security, name), **login(security)) as sink:
        state, told = sent(
            database_url,
            sink,
            smtp_security=security,
            smtp_ca_file=ca_file,
            smtp_username="app",
            smtp_password=PASSWORD,
        )
    assert state == "failed"
    assert told.startswith("the mail server cannot be used: ")
    assert error in told
    assert PASSWORD not in told
    assert sink.received == sink.logins == []


def test_a_server_without_tls_gets_nothing(database_url):
    with smtp_sink() as sink:
        state, told = sent(database_url, sink, smtp_security="starttls")
    assert (state, sink.received) == ("failed", [])
    assert (
        told == "the mail server cannot be used: SMTP STARTTLS extension not supported by server."
    )


def test_certificates_that_are_not_there():
    with pytest.raises(ValidationError, match="smtp_ca_file"):
        Settings(smtp_ca_file="nowhere.pem")
