"""Bundles: the files of one model version with their hashes and their certificate, published atomically."""
