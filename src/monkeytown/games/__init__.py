"""The games that come with Monkeytown: one file each, named as it is run (`monkeytown run jungle`).

They use nothing that is not exported by `monkeytown`, and are meant to be read first.
"""
