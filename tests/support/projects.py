"""The configuration of the projects that plugin tests make: strict, and warnings are errors."""

INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
addopts = --strict-markers --strict-config -p no:randomly
filterwarnings =
    error
    # what old stacks warn of when they are imported and used
    ignore:Please use `import python_multipart`:PendingDeprecationWarning
    ignore:The 'app' shortcut:DeprecationWarning
    ignore:The anyio.abc.BlockingPortal alias:DeprecationWarning
    ignore:Unclosed <MemoryObject:ResourceWarning
    ignore:.*MemoryObject:pytest.PytestUnraisableExceptionWarning
"""
