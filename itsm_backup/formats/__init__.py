"""How instants and days are written wherever Django writes them by itself."""
