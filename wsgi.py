import signal
from contextlib import suppress

from conversions_api import create_app

app = create_app()

# Waitress finishes the requests in flight on an interrupt (Ctrl+C), but not on SIGTERM. So SIGTERM becomes an interrupt, unless the
# server has a handler of its own.
with suppress(ValueError):  # not the main thread
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
