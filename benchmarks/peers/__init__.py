"""Side by side with others: `make bench-peers`."""
