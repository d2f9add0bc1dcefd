// A file may not read another: its origin is null. So search results have excerpts only over http.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
