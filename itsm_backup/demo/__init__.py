"""The demo estate: invented hospitals whose history is replayed from recorded answers of real tools, through the real connectors."""
