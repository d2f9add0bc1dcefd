// No file may read another: a file's origin is null. So search results have excerpts over http only.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
