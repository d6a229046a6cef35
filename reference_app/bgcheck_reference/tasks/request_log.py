"""A task that gets facts of the request, not the request."""

import logging

logger = logging.getLogger(__name__)


async def log_request(
    path: str,
    query_params: dict[str, str],
    user_agent: str | None,
    client_ip: str | None,
) -> None:
    """Log one request.

    Args:
        path: the path of its URL.
        query_params: its query.
        user_agent: what the client calls itself; None if it does not say.
        client_ip: the client's address; None over a Unix socket.
    """
    logger.info(
        "Request to %s: query %s, user agent %s, client %s",
        path,
        query_params,
        user_agent,
        client_ip,
    )
