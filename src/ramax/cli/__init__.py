"""The `ramax` command: what an operator does with a database, without writing a program."""

from ramax.cli.app import main

__all__ = ["main"]
