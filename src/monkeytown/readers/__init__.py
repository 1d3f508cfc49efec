"""Those who read rooms: each keeps its positions in its own way and puts the bytes where they belong."""
