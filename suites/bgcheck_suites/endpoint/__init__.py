"""Verifies what one task endpoint of an app must satisfy: the functions behind `TaskContract`."""
