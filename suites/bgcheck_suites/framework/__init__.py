"""The framework suite: what this stack does with background tasks, observed raw."""
