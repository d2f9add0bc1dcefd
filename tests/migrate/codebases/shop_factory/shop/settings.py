FRONTENDS = [
    "https://app.example.com",
    "http://localhost:3000",  # the dev server
]
