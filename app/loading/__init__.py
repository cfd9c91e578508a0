"""Where rows come from: imported files, and the bundled data. It knows nothing of HTTP and commands."""
