CORS_ORIGINS = ["https://app.example.com"]
CORS_EXPOSE_HEADERS = ["X-Total"]
