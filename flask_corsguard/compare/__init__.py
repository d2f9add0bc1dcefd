"""Two versions of an app, compared by what pages of other sites can do with each."""
