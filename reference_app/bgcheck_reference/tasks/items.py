"""A task with two plain parameters."""

import logging

logger = logging.getLogger(__name__)


def process_item(item_id: int, action: str) -> None:
    """Write the record of what is done to an item.

    Args:
        item_id: the item.
        action: what is done to it, such as "create".
    """
    logger.info("Processing item %d with action: %s", item_id, action)
