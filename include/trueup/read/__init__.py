"""What is there: sources and targets, read into the run's folder, and read again after writing."""
