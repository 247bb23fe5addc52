"""The one way out over HTTP: `client` speaks, `addresses` says to whom."""
