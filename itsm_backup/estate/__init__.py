"""Declaring a whole estate from one YAML file, through the same acts as the screens."""
