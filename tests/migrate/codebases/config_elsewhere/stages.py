class Production:
    CORS_ORIGINS = ["https://app.example.com"]
    CORS_METHODS = ["GET"]
    CORS_ALLOW_HEADERS = ["X-Custom"]
