"""A report as a file, whose progress a client can poll."""

import logging
from functools import partial
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from bgcheck_reference.claims import Claim, ClaimPolicy, Note, perform
from bgcheck_reference.exports.document import Document, Period, read_document
from bgcheck_reference.exports.formats import write
from bgcheck_reference.exports.store import ExportStore
from bgcheck_reference.models import Export
from bgcheck_reference.schemas_exports import ExportFormat, ExportSection

logger = logging.getLogger(__name__)


def make_export(
    export_id: str, session_factory: sessionmaker[Session], store: ExportStore, claims: ClaimPolicy
) -> None:
    """Read a report from the database, write it as a file, and tell in its row how that ended.

    It may run any number of times: the file is replaced as a whole. The work blocks, so this is a
    `def` task. No connection is held while the file is written.

    Args:
        export_id: the row, which must be committed already.
        session_factory: makes the sessions, all closed before this returns.
        store: takes the file.
        claims: how long the row belongs to this task.
    """
    work = partial(_make, export_id, session_factory, store)
    perform(Claim(Export, export_id, claims), session_factory, work)


def _make(
    export_id: str, session_factory: sessionmaker[Session], store: ExportStore, note: Note
) -> dict[str, Any]:
    file_format, document = _read(export_id, session_factory, store.max_rows)
    content = write(document, file_format)
    store.save(export_id, file_format, content)
    logger.info("Report %s has %d bytes", export_id, len(content))
    return {"size": len(content)}


def _read(
    export_id: str, session_factory: sessionmaker[Session], max_rows: int
) -> tuple[ExportFormat, Document]:
    with session_factory() as db:
        export = db.get_one(Export, export_id)
        document = read_document(
            db,
            export.title,
            Period(export.since, export.until),
            [ExportSection(name) for name in export.sections],
            max_rows,
        )
        return ExportFormat(export.format), document
