"""`python -m harness` is the command `glue-bench`."""

from harness.cli import main

main()
