"""Rooms in time: what steps them, who sits in them, and what they may take. asyncio begins on this floor."""
