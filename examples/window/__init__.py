"""Visits, brought day by day."""
