// The description, as Swagger UI shows it: calls are made as whoever is signed in, on this server and on no other.
SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).pathname,
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  queryConfigEnabled: false,
  tryItOutEnabled: true,
  validatorUrl: "none",
});
