"""`python -m pipeline` is the `isomer` command."""

from pipeline.cli import main

main()
