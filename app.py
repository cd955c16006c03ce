"""The site as a WSGI application; run as a program, the whole product on one machine."""

from panel.application import create_app

app = create_app()
