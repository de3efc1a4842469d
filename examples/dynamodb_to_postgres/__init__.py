"""Orders of DynamoDB become rows of PostgreSQL."""
