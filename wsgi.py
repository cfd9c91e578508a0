from conversions_api import create_app
from conversions_api.rsgi import Server

app = create_app()  # for any WSGI server
server = Server(app)  # for Granian, which the README recommends
