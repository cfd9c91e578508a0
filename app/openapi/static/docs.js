// Swagger UI with the demo key filled in, so that the first "Execute" returns records.
const ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  docExpansion: "full",
  onComplete: () => ui.preauthorizeApiKey("key", "YOUR_API_KEY"),
});

// Swagger UI's controls have no names that a screen reader could say.
const NAMES = {
  "#servers": "Server",
  ".body-param__text": "Request body",
  "select.content-type": "Media type",
  ".examples-select-element": "Example",
};

new MutationObserver(() => {
  for (const [selector, name] of Object.entries(NAMES)) {
    for (const control of document.querySelectorAll(`${selector}:not([aria-label])`)) control.setAttribute("aria-label", name);
  }
}).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true });
