"""Measures ramax against the raw driver and against its rivals; see README.md beside this."""
