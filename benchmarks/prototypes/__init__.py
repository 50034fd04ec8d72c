"""What was tried beside what the library does; each belongs to an ADR, nothing imports it."""
