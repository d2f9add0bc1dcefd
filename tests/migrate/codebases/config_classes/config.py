import os


class Config:
    SECRET_KEY = "change me"
    CORS_ALLOW_HEADERS = ["Content-Type", "X-Custom"]
    CORS_EXPOSE_HEADERS = "X-Total"
    CORS_SUPPORTS_CREDENTIALS = True


class DevelopmentConfig(Config):
    DEBUG = True
    CORS_ORIGINS = ["http://localhost:3000", "http://localhost:5173"]


class ProductionConfig(Config):
    CORS_ORIGINS = ["https://app.example.com"]
    CORS_MAX_AGE = 86400


config = {
    "development": DevelopmentConfig,
    "production": ProductionConfig,
}[os.environ.get("STAGE", "production")]
