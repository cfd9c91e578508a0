// Runs before the page is drawn, so that nothing moves later: is there JavaScript, and does the address share a request?
document.documentElement.classList.add("js");
if (location.hash.length > 1) document.documentElement.classList.add("shared");
