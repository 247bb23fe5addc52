"""How fast the product is, held against what the same machine can do at all: `manage.py bench`, docs/performance.md.

Everything happens in throw-away databases beside the product's own, whose data are neither read nor written.
"""
