"""The pytest plugin of bgcheck: hooks only."""
