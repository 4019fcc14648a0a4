"""What machines cost by the hour, and what work on them comes to."""
