"""A result that a client polls for."""

from fastapi import APIRouter, BackgroundTasks, HTTPException, Request, Response, status

from bgcheck_reference.db import Db, SessionFactory
from bgcheck_reference.models import Report
from bgcheck_reference.schemas import ReportOut, ReportRequest
from bgcheck_reference.tasks.reports import make_report

router = APIRouter(tags=["Reports"])


@router.post("/reports", status_code=status.HTTP_202_ACCEPTED)
def create_report(
    wanted: ReportRequest,
    background_tasks: BackgroundTasks,
    db: Db,
    session_factory: SessionFactory,
    request: Request,
    response: Response,
) -> ReportOut:
    """Ask for a report; poll the `Location` until its state is "done" or "failed".

    **Holds on every version.** The row is committed before the task is scheduled, and the task
    makes its own sessions.
    """
    report = Report(title=wanted.title, user_ids=wanted.user_ids)
    db.add(report)
    db.commit()
    background_tasks.add_task(make_report, report.id, session_factory)
    response.headers["Location"] = request.url_for("read_report", report_id=report.id).path
    return ReportOut.model_validate(report)


@router.get("/reports/{report_id}")
def read_report(report_id: str, db: Db) -> ReportOut:
    """Tell how far a report has come, and its lines once it is done."""
    report = db.get(Report, report_id)
    if report is None:
        raise HTTPException(status_code=404, detail="No such report")
    return ReportOut.model_validate(report)
