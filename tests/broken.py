"""The app with deliberate defects, to check that the contract tools find them."""

from conversions_api import create_app
from conversions_api.rsgi import Server

app = create_app()


class Broken(Server):
    """The server, which asks a function instead of the app."""

    def __init__(self, ask):
        super().__init__(app)
        self.app = ask


@Broken
def without_key_check(environ, start_response):
    return app(environ | {"HTTP_AUTHENTICATION": "YOUR_API_KEY"}, start_response)


@Broken
def without_allow(environ, start_response):
    def start(status, headers, *more):
        return start_response(status, [(name, value) for name, value in headers if name != "Allow"], *more)

    return app(environ, start)
