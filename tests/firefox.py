"""A page in headless Firefox, through WebDriver BiDi: playwright drives no Firefox but its own.

It needs `firefox` or `firefox-esr` on the path, and the package `websockets`.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("firefox", "firefox-esr")
PATIENCE = 60.0  # seconds until it listens


class Firefox:
    """One tab, and what it has said and asked for."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._count = 0
        self.events: list[dict[str, Any]] = []
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self._tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **given: object) -> dict[str, Any]:
        self._count += 1
        self._connection.send(json.dumps({"id": self._count, "method": method, "params": given}))
        while True:
            told: dict[str, Any] = json.loads(self._connection.recv(timeout=PATIENCE))
            if told.get("id") != self._count:
                self.events.append(told)
                continue
            assert told["type"] == "success", told
            found: dict[str, Any] = told["result"]
            return found

    def open(self, path: Path) -> None:
        url = path.absolute().as_uri()
        self.call("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def evaluate(self, script: str) -> Any:
        """The value of an expression that gives JSON, or a promise of it."""
        told = self.call(
            "script.evaluate", expression=script, target={"context": self._tab}, awaitPromise=True
        )
        assert told["type"] == "success", told
        return json.loads(told["result"]["value"])


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """Started, and stopped."""
    client = pytest.importorskip("websockets.sync.client", reason="needs the package websockets")
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip("needs Firefox on the path")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [executable, "--headless", "--no-remote", "--profile", str(profile)]
    running = subprocess.Popen(
        [*command, "--remote-debugging-port", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        address = f"ws://127.0.0.1:{port}/session"
        with _connected(client.connect, address) as connection:
            yield Firefox(connection)
    finally:
        running.terminate()
        running.wait(10)


def _connected(connect: Any, address: str) -> Any:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return connect(address, max_size=None, proxy=None)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
