"""The disk: files and folders that are written whole or not at all, by one process at a time."""
