"""A film, its actors and its categories become one document."""
