"""An order becomes a row for each of its lines, and one for itself, in one transaction."""
