"""Many instances behind one address: who owns which room, and how they talk."""
