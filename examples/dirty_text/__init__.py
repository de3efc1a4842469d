"""E-mails, amounts, dates and statuses of free text."""
