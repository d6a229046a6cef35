"""Turn the content of a mailing into e-mails, by the templates of its kind."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from bgcheck_reference.schemas_mailings import Maintenance, Receipt, Style, Welcome

TEMPLATES = Environment(
    loader=PackageLoader("bgcheck_reference"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Letter:
    """What the e-mail to one recipient is made of."""

    to: Address
    message_id: str
    content: Welcome | Receipt | Maintenance
    style: Style


def compose(letter: Letter) -> EmailMessage:
    """Make an e-mail with a text and an HTML part.

    Raises:
        ValueError: a header would have a line break.
        jinja2.TemplateError: a template does not fit the content.
    """
    kind = letter.content.kind
    values = {"to": letter.to.display_name, "content": letter.content, "style": letter.style}
    text = TEMPLATES.get_template(f"mail/{kind}.txt").make_module(values)
    message = EmailMessage()
    message["Subject"] = vars(text)["subject"]
    message["To"] = letter.to
    message["Message-ID"] = letter.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(str(text))
    html = TEMPLATES.get_template(f"mail/{kind}.html").render(values)
    message.add_alternative(html, subtype="html")
    return message
