"""What the same machine can do at all: the least work for the same effect, served and stored by the same programs."""
