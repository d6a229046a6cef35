"""Reports as files: made in the background, downloaded when they are done."""

from fastapi import APIRouter, HTTPException, status
from fastapi.responses import FileResponse

from bgcheck_reference.db import AsyncDb
from bgcheck_reference.exports.store import download_name
from bgcheck_reference.models import Export, TaskState
from bgcheck_reference.queues.resources import ExportStoreDep
from bgcheck_reference.routes.work import Intake, known
from bgcheck_reference.schemas_exports import ExportFormat, ExportOut, ExportRequest
from bgcheck_reference.tasks.exports import make_export

router = APIRouter(tags=["Reports as files"])

_UNTRUSTED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
}


@router.post("/exports", status_code=status.HTTP_202_ACCEPTED)
async def create_export(wanted: ExportRequest, db: AsyncDb, intake: Intake) -> ExportOut:
    """Ask for a report as a file; poll the `Location`, then download `{Location}/file`.

    **Holds on every version.** The row is committed before the task is scheduled, and the task
    is given only the id: it runs on a queue as it is.
    """
    export = Export(**wanted.model_dump(mode="json", exclude={"since", "until"}))
    export.since, export.until = wanted.since, wanted.until
    await intake.store(db, export, make_export)
    return ExportOut.model_validate(export)


@router.get("/exports/{export_id}")
async def read_export(export_id: str, db: AsyncDb) -> ExportOut:
    """Tell how far a report has come."""
    return ExportOut.model_validate(known(await db.get(Export, export_id), Export))


@router.get("/exports/{export_id}/file", response_class=FileResponse)
async def download_export(export_id: str, db: AsyncDb, store: ExportStoreDep) -> FileResponse:
    """Download a report that is done."""
    export = known(await db.get(Export, export_id), Export)
    if export.state != TaskState.DONE.value:
        raise HTTPException(status_code=409, detail=f"The report is {export.state}")
    file_format = ExportFormat(export.format)
    path = store.path(export.id, file_format)
    if not path.is_file():
        raise HTTPException(status_code=410, detail="The file is gone")
    name = download_name(export.title, file_format)
    return FileResponse(path, filename=name, headers=_UNTRUSTED)
