"""Text that can be searched: its tokens, what of a space has text, and what a query asks for."""
