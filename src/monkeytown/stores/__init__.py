"""What must last: the spool on this machine's disk, and the databases that it is emptied into.

Knows files and databases; does not know rooms in time, players' connections or HTTP.
"""
