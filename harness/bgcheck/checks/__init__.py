"""The checks: each sees events from `bgcheck.events` and yields findings. Imports no framework."""
