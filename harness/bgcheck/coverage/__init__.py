"""Task coverage: which schedule sites and task functions the tests of a session reach."""
