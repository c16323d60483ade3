"""`stats/report.html`: one file that shows what became of the footage, and what falls on either side of each line."""
