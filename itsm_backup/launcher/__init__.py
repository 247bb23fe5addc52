"""How the product starts on a machine that has nothing but python3: environment, data folder, embedded services, supervisor.

Everything here uses the standard library alone, because it runs before the environment exists.
"""
