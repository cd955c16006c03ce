"""The site as a WSGI application; run as a program, the whole product on one machine."""

import gc
import os
import sys

from panel.processes.parent_death import die_with_supervisor

if __name__ == "__main__":
    from panel.processes import supervisor

    sys.exit(supervisor.main(sys.argv[1:]))

die_with_supervisor()

# What is made here stays until the end: the garbage collector looks at it neither now nor later.
gc.disable()

from panel.application import create_app  # noqa: E402  (a process is tethered before it does anything)

# `flask` says of itself that it runs a command; whatever else imports this module serves the site.
app = create_app(is_web=os.environ.get("FLASK_RUN_FROM_CLI") != "true")
gc.freeze()
gc.enable()

__all__ = ("app", "create_app")
