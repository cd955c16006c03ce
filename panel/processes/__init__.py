"""Processes of `python app.py`: the supervisor, its children, and protection from slow clients.

May import `application` by name only; `app.py` and the commands import it.
"""
