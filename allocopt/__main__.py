"""`python -m allocopt` is the command line."""

from allocopt.cli import main

main()
