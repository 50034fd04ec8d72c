"""The measured programs: ramax, the raw limits, the rivals; each is a process of its own."""
