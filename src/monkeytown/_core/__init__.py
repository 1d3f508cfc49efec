"""The compiled core: wire, fields, rows, columns, state, delta, mirror, inputs, frames, fanout, clock.

Floor 1. Sources are in ext/monkeytown/_core; the stubs here say what Python may call.
"""
