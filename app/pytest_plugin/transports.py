"""Requests of httpx and of requests to the app without a network. Each library is imported only if its function is called."""

from io import BytesIO
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import Client


def requests_adapter(app: Flask):
    import requests
    import urllib3

    class Adapter(requests.adapters.HTTPAdapter):
        def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
            address = urlsplit(request.url)
            response = Client(app).open(
                address.path,
                base_url=f"{address.scheme}://{address.netloc}",
                query_string=address.query,
                method=request.method,
                headers=list(request.headers.items()),
                data=request.body,
            )
            headers = urllib3.HTTPHeaderDict(list(response.headers))
            raw = urllib3.HTTPResponse(BytesIO(response.data), headers, response.status_code, preload_content=False)
            return self.build_response(request, raw)

    return Adapter()
