"""Conformance suites for background tasks."""
