"""The task log: records, queries, expectations, messages. Imports no pytest, no framework."""
