"""Accounts, while the application goes on writing both tables."""
