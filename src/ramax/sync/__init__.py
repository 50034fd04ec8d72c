"""Replicas of a space: its layers, and what is exchanged with them."""
