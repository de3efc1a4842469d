"""What came of it: every row compared, every source row accounted for, and the gates that judge both."""
