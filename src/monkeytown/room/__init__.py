"""A room: rules, tables and players, and one way to read them. One module per idea.

    room      the tick, joining and leaving, and what the rules may ask of their room
    reading   `room.read(position, view, encoding)`: the bytes that bring a reader from its position to now
    history   the one decision between delta and snapshot
    view      the view of a reader who sees everything
    delayed   the room as it was some time ago, for spectators
    seating   who sits where
    closing   why a room has ended
    inputs    where inputs wait, and how the rules get them
    encoded   what was encoded in this tick, kept for all who share it
    private   what one player alone is told: its entity and its owner-only values
    cursor    where a reader stands
    mail      news for players, as it will travel
    hooks     calls into the rules, and what becomes of their errors
    timers    calls that wait for game time
    names     what players are called
    member    a player as the room keeps it

Pure: no asyncio, no sockets, no clock (time comes in as ticks or as seconds). Does not know who reads it.
"""
