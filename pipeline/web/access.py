"""All that decides who comes in, in one place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipeline.plan import HttpPlan
from pipeline.store.wire import Connection
from pipeline.web.attempts import Attempts
from pipeline.web.identity import Identities
from pipeline.web.keyring import first_token, session_key
from pipeline.web.sessions import Sessions
from pipeline.web.tokens import Tokens, needs_first


class Access:
    """Raises StartError when the state folder cannot be used."""

    def __init__(
        self,
        http: HttpPlan,
        root: str,
        project: str,
        clock: Callable[[], int],
        connect: Callable[[], Connection],
    ) -> None:
        self.http = http
        self.sessions = Sessions(project, http.path, session_key(root), clock, connect)
        self.tokens = Tokens(http, root)
        self.identities = Identities(http, self.sessions, self.tokens)
        self.attempts = Attempts()
        self.trying = asyncio.Semaphore(1)
        """One password is checked at a time: that takes memory, and strangers may ask for it."""
        self.queued = 0
        self.printed = first_token(root) if needs_first(http) else None
        """The token of whoever set this up, at the first start only."""

    @property
    def ways(self) -> list[str]:
        """How one can sign in here."""
        http = self.http
        if http.auth == "none":
            return ["none"]
        proxied = ["proxy"] if http.proxy is not None and http.proxy.header else []
        return [*(["password"] if any(user.password for user in http.users.values()) else []),
                *(["token"] if http.tokens or needs_first(http) else []), *proxied]  # fmt: skip
