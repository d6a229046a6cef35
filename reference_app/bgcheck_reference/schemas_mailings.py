"""Bodies of mailings: the kinds of e-mail notification, and what each of them takes."""

from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal

from email_validator import validate_email
from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    model_validator,
)

from bgcheck_reference.schemas import NO_NUL, ONE_LINE, TrackedOut

Line = Annotated[str, Field(min_length=1, max_length=200, pattern=ONE_LINE)]
"""One line of text; nothing in it can end a header."""


def _for_the_envelope(address: str) -> str:
    """Write an international domain as every mail server understands it."""
    return validate_email(address, check_deliverability=False).ascii_email or address


Mailbox = Annotated[EmailStr, AfterValidator(_for_the_envelope)]


class Recipient(BaseModel):
    """Somebody to write to."""

    address: Mailbox
    name: Line | None = None


class Style(BaseModel):
    """How the e-mail looks and ends."""

    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#0b6e4f"
    signature: Line = "Your bgcheck team"


class Welcome(BaseModel):
    """Greets a new user."""

    kind: Literal["welcome"]
    product: Line
    start_url: AnyHttpUrl


class ReceiptItem(BaseModel):
    """One position of a receipt."""

    name: Line
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    unit_price: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class Receipt(BaseModel):
    """Confirms an order."""

    kind: Literal["receipt"]
    order: Line
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    items: Annotated[list[ReceiptItem], Field(min_length=1, max_length=100)]

    @property
    def total(self) -> Decimal:
        """What all positions cost together."""
        return sum((item.quantity * item.unit_price for item in self.items), Decimal("0.00"))


Utc = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(timezone.utc))]


class Maintenance(BaseModel):
    """Announces that something will not work for a while."""

    kind: Literal["maintenance"]
    service: Line
    starts_at: Utc
    ends_at: Utc
    impact: Annotated[str, Field(max_length=2000, pattern=NO_NUL)] = ""

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "Maintenance":
        if self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be after starts_at")
        return self


MailContent = Annotated[Welcome | Receipt | Maintenance, Field(discriminator="kind")]

_ADA = {"address": "ada@example.com", "name": "Ada"}
_EXAMPLES: list[Any] = [
    {
        "recipients": [_ADA, {"address": "grace@example.com"}],
        "content": {
            "kind": "welcome",
            "product": "bgcheck",
            "start_url": "https://example.com/start",
        },
    },
    {
        "recipients": [_ADA],
        "content": {
            "kind": "receipt",
            "order": "A-1001",
            "items": [
                {"name": "Desk lamp", "quantity": 2, "unit_price": "39.90"},
                {"name": "Bulb", "quantity": 4, "unit_price": "3.50"},
            ],
        },
        "style": {"accent": "#1f4e9c", "signature": "The lamp shop"},
    },
    {
        "recipients": [_ADA],
        "content": {
            "kind": "maintenance",
            "service": "Reports",
            "starts_at": "2030-01-05T22:00:00Z",
            "ends_at": "2030-01-06T02:00:00Z",
            "impact": "Reports cannot be made; what was asked for before is made afterwards.",
        },
    },
]


class MailingRequest(BaseModel):
    """An e-mail of one kind, for each of some recipients."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES})

    recipients: Annotated[list[Recipient], Field(min_length=1, max_length=1000)]
    content: MailContent
    style: Style = Style()

    @model_validator(mode="after")
    def _writes_to_nobody_twice(self) -> "MailingRequest":
        addresses = {recipient.address.lower() for recipient in self.recipients}
        if len(addresses) < len(self.recipients):
            raise ValueError("a recipient is listed twice")
        return self


class RecipientOut(BaseModel):
    """What became of the e-mail to one recipient."""

    model_config = ConfigDict(from_attributes=True)

    address: str
    name: str | None
    state: str
    attempts: int
    error: str | None
    updated_at: datetime


class MailingOut(TrackedOut):
    """A mailing; "failed" if it did not reach everybody, and `recipients` tells whom."""

    kind: str
    recipients: list[RecipientOut]
