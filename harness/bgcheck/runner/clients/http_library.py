"""The HTTP client library: httpx2 where it is installed, else httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2 as httpx
else:
    try:
        import httpx2 as httpx
    except ModuleNotFoundError:
        try:
            import httpx
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "bgtasks.client() and bgtasks.async_client() need httpx2 (or httpx), and neither "
                "is installed: pip install httpx2"
            ) from None

__all__ = ["httpx"]
