"""HTTP, out and in: `client` speaks, `addresses` says to whom, `typed` reads what a form sent."""
