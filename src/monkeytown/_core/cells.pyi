"""The rows of a table by where they are, and what there is to tell of each cell. For compiled code only."""
