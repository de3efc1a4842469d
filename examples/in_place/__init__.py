"""Two columns of users are filled from a third, in place."""
