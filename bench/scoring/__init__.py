"""Scoring results: exploded tables of PostgreSQL into one JSONB table, beside what people write today."""
