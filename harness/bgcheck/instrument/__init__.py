"""The only code that touches Starlette, FastAPI, anyio and SQLAlchemy; turns them into events."""
