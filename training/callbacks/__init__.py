"""What happens beside the steps of a stage; one thing a file. Intervals are in samples."""
