"""What each worker does once, before it imports handlers."""

import socket


def init() -> None:
    """Nobody whom the shop speaks to over a plain socket may keep it waiting for ever."""
    socket.setdefaulttimeout(10)
