"""Every published method: pure functions from canonical inputs to a result, by id and version (docs/methods.md)."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from monitoring.methods import anomalies, comparison, planning, restores, rpo, statistics, success, volumes, workflow
from monitoring.methods.canonical import Inputs
from monitoring.methods.registry import METHODS, Method, MethodError

__all__ = ["METHODS", "Method", "MethodError", "find", "measure"]

MODULES = (success, rpo, restores, volumes, statistics, anomalies, workflow, planning, comparison)


def find(method_id: str, version: str = "1") -> Method:
    """Return the method; raises MethodError naming what does exist."""
    if found := METHODS.get((method_id, version)):
        return found
    if versions := [known for name, known in METHODS if name == method_id]:
        raise MethodError(f"{method_id} has no version {version}. Versions: {', '.join(versions)}.")
    raise MethodError(f"There is no method {method_id}. Methods: {', '.join(sorted(name for name, _ in METHODS))}.")


def measure(method_id: str, inputs: Inputs, *, version: str = "1") -> Any:
    """Return what the method says about the inputs. Raises MethodError when they lack something or cannot be read."""
    found = find(method_id, version)
    if not isinstance(inputs, dict):
        raise MethodError(f"The inputs of {method_id} are one JSON object, not {type(inputs).__name__}.")
    try:
        return found.calculate(inputs)
    except ZoneInfoNotFoundError as error:
        raise MethodError(
            f"The inputs of {method_id} name a time zone that the IANA database does not have. Write Europe/Paris or UTC."
        ) from error
    except KeyError as error:
        raise MethodError(f"The inputs of {method_id} lack “{error.args[0]}”. See docs/methods.md.") from error
    except ZeroDivisionError as error:
        raise MethodError(f"The inputs of {method_id} leave nothing to divide by: a length, a window or a budget in them is 0.") from error
    except (ValueError, TypeError, AttributeError, IndexError, ArithmeticError) as error:
        raise MethodError(f"The inputs of {method_id} cannot be used: {error}.") from error
