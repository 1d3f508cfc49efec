"""What a client and the server say to each other, apart from the state: messages, their two encodings, close
codes.

Pure, and a sibling of `monkeytown.room`: the two do not know each other. The bytes are described in
docs/reference/wire.md and docs/reference/json.md.
"""
