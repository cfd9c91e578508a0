import signal
from contextlib import suppress

from app import create_app

app = create_app()

# Waitress ends at once on SIGTERM, but on an interrupt when it has answered what was begun. Who has a handler of its own keeps it.
with suppress(ValueError):  # not the main thread
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
