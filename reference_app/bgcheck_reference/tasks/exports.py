"""A report as a file, whose progress a client can poll."""

import logging
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from bgcheck_reference.exports.document import Document, Period, read_document
from bgcheck_reference.exports.formats import write
from bgcheck_reference.exports.store import ExportStore
from bgcheck_reference.models import Export, TaskState
from bgcheck_reference.schemas_exports import ExportFormat, ExportSection

logger = logging.getLogger(__name__)


def make_export(export_id: str, session_factory: sessionmaker[Session], store: ExportStore) -> None:
    """Read a report from the database, write it as a file, and tell in its row how that ended.

    It may run any number of times: the file is replaced as a whole. The work blocks, so this is a
    `def` task. No connection is held while the file is written. A failure is logged and stored in
    the row; it is not raised, since that would keep later tasks of the response from running.

    Args:
        export_id: the row, which must be committed already.
        session_factory: makes the sessions, all closed before this returns.
        store: takes the file.
    """
    try:
        size = _make(export_id, session_factory, store)
    except Exception as error:
        logger.exception("Report %s failed", export_id)
        _update(export_id, session_factory, TaskState.FAILED, error=_describe(error))
    else:
        _update(export_id, session_factory, TaskState.DONE, size=size)
        logger.info("Report %s has %d bytes", export_id, size)


def _make(export_id: str, session_factory: sessionmaker[Session], store: ExportStore) -> int:
    _update(export_id, session_factory, TaskState.RUNNING)
    file_format, document = _read(export_id, session_factory, store.max_rows)
    content = write(document, file_format)
    store.save(export_id, file_format, content)
    return len(content)


def _read(
    export_id: str, session_factory: sessionmaker[Session], max_rows: int
) -> tuple[ExportFormat, Document]:
    with session_factory() as db:
        export = db.get(Export, export_id)
        if export is None:
            raise LookupError(f"There is no report {export_id}")
        document = read_document(
            db,
            export.title,
            Period(export.since, export.until),
            [ExportSection(name) for name in export.sections],
            max_rows,
        )
        return ExportFormat(export.format), document


def _update(
    export_id: str, session_factory: sessionmaker[Session], state: TaskState, **values: Any
) -> None:
    with session_factory.begin() as db:
        changed = {"state": state.value, "error": None, **values}
        db.execute(update(Export).where(Export.id == export_id).values(changed))


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
