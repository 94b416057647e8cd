"""A client of "conclave gateway", from Python's standard library alone.

    gateway = Gateway("http://127.0.0.1:8080")
    task = gateway.ask("POST", "/v1/scopes/shop/tasks", {"kind": "add", "body": [1, 2]})

worker.py and submit.py beside this file are made of it. All that can be asked is
described by the gateway itself: GET /openapi.json.
"""

import http.client
import json
import os
import ssl
import time
import urllib.parse


class Refused(Exception):
    """The gateway's answer was an error. Programs look at its code."""

    def __init__(self, status, code, message, after=None):
        super().__init__(f"{message} ({status} {code})")
        self.status, self.code = status, code
        self.after = after  # seconds until asking again may help; None: the gateway does not say


class Unanswered(Exception):
    """There was no answer: what was asked may have been done."""


def quote(part):
    """A part of a path: ids may have slashes in them."""
    return urllib.parse.quote(part, safe="")


class Gateway:
    """Where the gateway is and who we are. Each thread has one of its own.

    The token is better left in $CONCLAVE_TOKEN than said on a command line. cafile
    is for a gateway whose certificate is not signed by an authority that this
    machine knows.
    """

    def __init__(self, url, token=None, cafile=None):
        self.url = urllib.parse.urlsplit(url)
        self.token = token or os.environ.get("CONCLAVE_TOKEN")
        self.cafile = cafile
        self.connection = None

    def connect(self, timeout):
        if self.connection is None:
            if self.url.scheme == "https":
                trust = ssl.create_default_context(cafile=self.cafile)
                self.connection = http.client.HTTPSConnection(self.url.netloc, timeout=timeout, context=trust)
            else:
                self.connection = http.client.HTTPConnection(self.url.netloc, timeout=timeout)
            self.connection.connect()
        self.connection.sock.settimeout(timeout)
        return self.connection

    def hang_up(self):
        """Ends a request that waits, from another thread: it is Unanswered."""
        connection = self.connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(2)
            except OSError:
                pass  # it has ended by itself

    def ask(self, method, path, body=None, timeout=90):
        """Makes a request and returns the answer; None if there is nothing to say (204)."""
        headers = {}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        try:
            connection = self.connect(timeout)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as problem:
            if self.connection is not None:
                self.connection.close()
                self.connection = None
            raise Unanswered(f"{method} {path}: {problem!r}") from problem
        if response.will_close:
            self.connection.close()
            self.connection = None
        if response.status == 204:
            return None
        try:
            answer = json.loads(text)
        except ValueError:
            raise Refused(response.status, "not_json", "that was no gateway that answered") from None
        if response.status >= 400:
            error, after = answer.get("error", {}), response.getheader("Retry-After")
            raise Refused(response.status, error.get("code"), error.get("message"), after and float(after))
        return answer

    def insist(self, method, path, body=None, patience=60):
        """Asks until there is an answer: only for what may be asked twice."""
        until, pause = time.monotonic() + patience, 0.1
        while True:
            try:
                return self.ask(method, path, body)
            except Unanswered:
                if time.monotonic() > until:
                    raise
            except Refused as refused:
                if refused.status not in (429, 503, 504) or time.monotonic() > until:
                    raise
                pause = max(pause, refused.after or 0)
            time.sleep(pause)
            pause = min(2 * pause, 5)
