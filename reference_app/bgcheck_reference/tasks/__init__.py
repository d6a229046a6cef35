"""The background tasks, one module a pattern; none of them knows the framework."""
