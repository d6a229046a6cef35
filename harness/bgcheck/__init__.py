"""A background check for your background tasks."""

__version__ = "0.1.0"
