"""The tables, and the words, of the probes about SQLAlchemy sessions."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    """The tables of these probes."""


class Item(Base):
    """An item with parts."""

    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parts: Mapped[list["Part"]] = relationship()


class Part(Base):
    """A part of an item."""

    __tablename__ = "part"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"))


def first_item() -> Item:
    """Return the item that a probe finds in its database."""
    return Item(id=1, name="first", parts=[Part()])


def state_of(session: Session) -> str:
    """Say whether a session that has read something is still in that transaction."""
    return "open, in its transaction" if session.in_transaction() else "closed"
