// A file may not read another: its origin is null. So search results have excerpts only over http.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// An entry of the index is shown with its page's title. Add that of the section: "Recipes > Fonts".
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") {
    return;
  }
  const find = Search._performSearch;
  Search._performSearch = (...query) => {
    const { alltitles, docnames } = Search._index;
    const headings = {};
    for (const [heading, places] of Object.entries(alltitles)) {
      for (const [page, id] of places) {
        headings[`${docnames[page]}#${id}`] = heading;
      }
    }
    return find(...query).map(([page, title, anchor, ...rest]) => {
      const heading = rest.at(-1) === "index" && headings[page + anchor];
      return [page, heading ? `${title} > ${heading}` : title, anchor, ...rest];
    });
  };
});
