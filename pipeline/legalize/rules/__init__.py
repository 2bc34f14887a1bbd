"""The rules, one module per family. Importing this package imports none of them; `registry.all_rules` does."""
