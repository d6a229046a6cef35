"""The endpoints, one module a pattern."""

from bgcheck_reference.routes import (
    broadcast,
    content,
    email,
    exports,
    images,
    items,
    jobs,
    mailings,
    process,
    reports,
    request_log,
    runs,
)

ROUTERS = tuple(
    module.router
    for module in (
        items,
        process,
        request_log,
        broadcast,
        content,
        email,
        reports,
        mailings,
        exports,
        images,
        jobs,
        runs,
    )
)
