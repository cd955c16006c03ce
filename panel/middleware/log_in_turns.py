"""Turns at the log-in form: its requests wait for each other and for others, so that many leave other pages quick.

Eight clients that logged in without a pause, most of them answered 429, filled the process with threads that rendered
the form, and a cached page waited for all of them.
"""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from panel.services.accounts import hashing_turns

PATH = "/log-in"


class LogInTurns:
    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH:
            hashing_turns.begin_other_request()
            try:
                return self._inner(environ, start_response)
            finally:
                hashing_turns.end_other_request()
        with hashing_turns.log_in_request():
            return self._inner(environ, start_response)
