"""Reports as files: made in the background, downloaded when they are done."""

from fastapi import APIRouter, HTTPException, Request, Response, status
from fastapi.responses import FileResponse

from bgcheck_reference.db import AsyncDb
from bgcheck_reference.exports.store import download_name
from bgcheck_reference.models import Export, TaskState
from bgcheck_reference.queues import QueueDep
from bgcheck_reference.queues.resources import ExportStoreDep
from bgcheck_reference.schemas_exports import ExportFormat, ExportOut, ExportRequest
from bgcheck_reference.tasks.exports import make_export

router = APIRouter(tags=["Reports as files"])

_UNTRUSTED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
}


@router.post("/exports", status_code=status.HTTP_202_ACCEPTED)
async def create_export(
    wanted: ExportRequest, db: AsyncDb, queue: QueueDep, request: Request, response: Response
) -> ExportOut:
    """Ask for a report as a file; poll the `Location`, then download `{Location}/file`.

    **Holds on every version.** The row is committed before the task is scheduled, and the task
    is given only the id: it runs on a queue as it is.
    """
    export = Export(**wanted.model_dump(mode="json", exclude={"since", "until"}))
    export.since, export.until = wanted.since, wanted.until
    db.add(export)
    await db.commit()
    await queue.add(make_export, export.id)
    response.headers["Location"] = request.url_for("read_export", export_id=export.id).path
    return ExportOut.model_validate(export)


@router.get("/exports/{export_id}")
async def read_export(export_id: str, db: AsyncDb) -> ExportOut:
    """Tell how far a report has come."""
    return ExportOut.model_validate(await _find(db, export_id))


@router.get("/exports/{export_id}/file", response_class=FileResponse)
async def download_export(export_id: str, db: AsyncDb, store: ExportStoreDep) -> FileResponse:
    """Download a report that is done."""
    export = await _find(db, export_id)
    if export.state != TaskState.DONE.value:
        raise HTTPException(status_code=409, detail=f"The report is {export.state}")
    file_format = ExportFormat(export.format)
    path = store.path(export.id, file_format)
    if not path.is_file():
        raise HTTPException(status_code=410, detail="The file is gone")
    name = download_name(export.title, file_format)
    return FileResponse(path, filename=name, headers=_UNTRUSTED)


async def _find(db: AsyncDb, export_id: str) -> Export:
    export = await db.get(Export, export_id)
    if export is None:
        raise HTTPException(status_code=404, detail="No such report")
    return export
