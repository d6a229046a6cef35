"""The part of the settings that is about e-mail."""

from typing import Annotated, Literal

from pydantic import EmailStr, Field, FilePath, SecretStr, model_validator
from pydantic_settings import BaseSettings

from bgcheck_reference.schemas import ONE_LINE

_LOCAL = {"localhost", "127.0.0.1", "::1"}

HeaderText = Annotated[str, Field(pattern=ONE_LINE, max_length=200)]


class MailSettings(BaseSettings):
    """Where e-mail goes, and how often to try.

    Raises:
        pydantic.ValidationError: the password has no user, or would travel in the clear.
    """

    smtp_host: str | None = Field(
        default=None,
        min_length=1,
        description="The mail server; without one, messages are logged and kept in an outbox.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_ca_file: FilePath | None = Field(
        default=None,
        description="Certificates to trust besides the system's, as for a server of one's own.",
    )
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_timeout: float = Field(default=10.0, gt=0, description="Seconds for each answer.")
    mail_sender: EmailStr = "noreply@example.com"
    mail_sender_name: HeaderText = "bgcheck reference app"
    mail_max_recipients: int = Field(default=100, ge=1, le=1000)
    mail_attempts: int = Field(
        default=3, ge=1, le=10, description="How often to try to reach the recipients of a mailing."
    )
    email_retry_delay: float = Field(
        default=1.0,
        ge=0,
        description="Seconds before the second attempt to send; doubled for each further attempt.",
    )

    @model_validator(mode="after")
    def _has_a_safe_login(self) -> "MailSettings":
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("smtp_username and smtp_password belong together: give both or none")
        in_the_clear = self.smtp_security == "none" and self.smtp_host not in _LOCAL
        if self.smtp_password is not None and in_the_clear:
            raise ValueError(
                "smtp_security 'none' would send the password in the clear; use 'starttls' or 'tls'"
            )
        return self
