"""What ramax decides without I/O: codecs, limits, domains and state."""
