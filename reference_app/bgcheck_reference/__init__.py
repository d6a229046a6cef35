"""The reference app of bgcheck."""
