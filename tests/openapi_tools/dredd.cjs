// Dredd sends the same request for every status of the document; this changes it into one that gets that status.
const hooks = require("hooks");

const changes = {
  200: () => {},
  400: (request) => { request.body = '{"sorce": "google.com"}'; },
  401: (request) => { delete request.headers.Authentication; },
  405: (request) => { request.method = "GET"; request.body = ""; },
  413: (request) => { request.body = " ".repeat(64 * 1024 + 1); },
  415: (request) => { request.headers["Content-Type"] = "text/plain"; },
  429: (request) => { request.headers.Authentication = "over-limit"; },
  503: (request) => { request.headers.Prefer = "code=503"; },
};

hooks.beforeEach((transaction, done) => {
  transaction.request.headers.Authentication = "YOUR_API_KEY";
  changes[transaction.expected.statusCode](transaction.request);
  done();
});
