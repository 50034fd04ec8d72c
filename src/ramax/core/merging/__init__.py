"""The rules by which two histories of one space become one: pure."""
