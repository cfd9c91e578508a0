// Swagger UI with the demo key filled in, so that the first "Execute" returns records.
const ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  docExpansion: "full",
  onComplete: () => ui.preauthorizeApiKey("key", "YOUR_API_KEY"),
});
