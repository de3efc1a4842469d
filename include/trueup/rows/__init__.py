"""What a value is: canonical form of numbers, JSON and DynamoDB's values, and DuckDB, in which rows are compared.

Used by stores and by every step; knows nothing of either."""
