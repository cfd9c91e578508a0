import signal
from contextlib import suppress

from app import create_app

app = create_app()

# On an interrupt Waitress answers what was begun before it ends, on SIGTERM it does not: so SIGTERM becomes one, unless the server
# has a handler of its own.
with suppress(ValueError):  # not the main thread
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
