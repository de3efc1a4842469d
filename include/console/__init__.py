"""What a person at a terminal sees of a run, whatever runs it: its progress, and how it came out."""
