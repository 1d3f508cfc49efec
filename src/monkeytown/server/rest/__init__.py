"""The REST API: what is asked of a server by requests, beside the game. One module an idea; `app` joins them."""

from __future__ import annotations
