"""Invoices of PostgreSQL become items of DynamoDB."""
