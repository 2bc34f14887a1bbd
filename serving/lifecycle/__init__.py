"""The life of a version: found on disk, checked, loaded, serving, unloaded."""
