"""The reference app: run it with `uvicorn bgcheck_reference.main:app` and open `/docs`."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

from bgcheck_reference.db import Database
from bgcheck_reference.image_stores import make_stores
from bgcheck_reference.queues.chosen import make_queue
from bgcheck_reference.recovery import recovering
from bgcheck_reference.refusals import refuse
from bgcheck_reference.routes import ROUTERS
from bgcheck_reference.settings import Settings
from bgcheck_reference.smtp import make_mailer

DESCRIPTION = """
Every documented way to hand parameters to a background task. An endpoint that is kept as
documented although that does not hold on every version says so, and has one that holds beside it.
"""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Prepare logging and the tables, and close the connections at the end."""
    settings: Settings = app.state.settings
    database: Database = app.state.database
    _configure_logging(settings.log_level)
    try:
        await anyio.to_thread.run_sync(database.create_tables, settings.demo_users)
        if app.state.queue is not None:
            await app.state.queue.start()
        async with recovering(app):
            yield
    finally:
        if app.state.queue is not None:
            await app.state.queue.stop()
        for store in app.state.image_stores.values():
            store.close()
        await database.dispose()


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the app.

    Args:
        settings: its settings; read from the environment if not given.

    Returns:
        An app with `state.settings`, `state.database` and `state.mailer`. It connects to nothing
        until its lifespan starts.
    """
    app = FastAPI(title="bgcheck reference app", description=DESCRIPTION, lifespan=lifespan)
    app.state.settings = settings or Settings()
    app.state.database = Database.from_url(app.state.settings.database_url)
    app.state.mailer = make_mailer(app.state.settings)
    app.state.queue = make_queue(app.state.settings)
    app.state.image_stores = make_stores(app.state.settings)
    app.add_exception_handler(RequestValidationError, refuse)
    for router in ROUTERS:
        app.include_router(router)
    return app


def _configure_logging(level: str) -> None:
    # Does nothing where logging is configured already, as by a test runner.
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    logging.getLogger("bgcheck_reference").setLevel(level)


app = create_app()
