"""Merging: what one space has and another lacks, taken over event by event."""
