"""What the plan says is done: approval, making of tables, writing in batches, putting back. Nothing else writes to a
store."""
