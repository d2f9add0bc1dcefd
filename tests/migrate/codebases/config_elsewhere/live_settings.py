CORS_ORIGINS = ["https://app.example.com"]
