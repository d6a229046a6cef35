"""Apps, clients and servers that several test modules use."""
