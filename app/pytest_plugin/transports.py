"""Requests of httpx and of requests to the app without a network. Each library is imported only if its function is called."""

from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import Client


def httpx_transport(app: Flask):
    import httpx

    return httpx.WSGITransport(app=app)


def requests_adapter(app: Flask):
    import requests
    import urllib3

    class Adapter(requests.adapters.HTTPAdapter):
        def send(self, request, **_):
            parts = urlsplit(request.url)
            answered = Client(app).open(
                parts.path,
                base_url=f"{parts.scheme}://{parts.netloc}",
                query_string=parts.query,
                method=request.method,
                headers=list(request.headers.items()),
                data=request.body,
            )
            headers = urllib3.HTTPHeaderDict(list(answered.headers))
            reason = answered.status.partition(" ")[2]
            body = urllib3.HTTPResponse(answered.data, headers, answered.status_code, reason=reason, request_method=request.method)
            return self.build_response(request, body)

    return Adapter()
