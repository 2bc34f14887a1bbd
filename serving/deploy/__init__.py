"""Bundles on other people's machines: files that deploy them, and a check that what is served is what was certified."""
