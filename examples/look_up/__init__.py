"""Orders get the name of their country from a look-up."""
