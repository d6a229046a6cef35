"""Tasks that are chosen by a parameter, and the registry they are chosen from."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import PurePath
from typing import Any

from bgcheck_reference.schemas import ProcessingType

logger = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], Awaitable[None]]


async def process_image(data: dict[str, Any]) -> None:
    """Register an image by its file name."""
    logger.info("Processing image %s (%s)", data.get("filename"), _format(data))


async def process_text(data: dict[str, Any]) -> None:
    """Count the characters and words of a text."""
    text = data.get("content") or ""
    logger.info("Processing text: %d characters, %d words", len(text), len(text.split()))


async def process_video(data: dict[str, Any]) -> None:
    """Register a video by its file name."""
    logger.info("Processing video %s (%s)", data.get("filename"), _format(data))


def _format(data: dict[str, Any]) -> str:
    return PurePath(data.get("filename") or "").suffix.lstrip(".").upper() or "unknown format"


TASK_HANDLERS: dict[ProcessingType, Handler] = {
    ProcessingType.IMAGE: process_image,
    ProcessingType.TEXT: process_text,
    ProcessingType.VIDEO: process_video,
}
