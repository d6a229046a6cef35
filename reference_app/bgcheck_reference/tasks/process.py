"""A task with parameters of several types."""

import logging
import time

from bgcheck_reference.schemas import Item

logger = logging.getLogger(__name__)


def process_complex_task(
    item: Item,
    user_id: int,
    metadata: dict[str, str],
    importance: int = 1,
    seconds_per_level: float = 2.0,
) -> None:
    """Work on an item, the longer the more important it is.

    The work blocks, so this is a `def` task: it runs in a worker thread.

    Args:
        item: what to process.
        user_id: for whom.
        metadata: when and where the request was made.
        importance: the number of levels to work for.
        seconds_per_level: seconds of work for each level.
    """
    logger.info("Processing %s for user %d", item.name, user_id)
    logger.debug("Metadata: %s", metadata)
    time.sleep(importance * seconds_per_level)
    logger.info(
        "Processed %s at importance %d (%.2f, %d tags)",
        item.name,
        importance,
        item.price,
        len(item.tags),
    )
