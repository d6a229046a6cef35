"""What must work before anything else is worth measuring."""

import threading

from .events import LIMIT

WAYS_OUT = "nothing can be measured; look at the installed versions with `bgcheck --version`"


def broken() -> str:
    """Return in one line why tasks do not work on this stack at all, or an empty string."""
    try:
        problem = _problem()
    except Exception as error:
        problem = f"a plain app raises {type(error).__name__}: {error}"
    return f"{problem}: {WAYS_OUT}" if problem else ""


def _problem() -> str:
    from fastapi import BackgroundTasks, FastAPI

    from .lab import InProcess

    app = FastAPI()
    ran = threading.Event()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> str:
        tasks.add_task(ran.set)
        return "scheduled"

    response = InProcess.client(app, raise_errors=True).get("/")
    if response.status_code != 200:
        return f"a plain endpoint answers {response.status_code}"
    if not ran.wait(LIMIT):
        return f"the task of a plain endpoint did not run within {LIMIT:g} s"
    return ""
