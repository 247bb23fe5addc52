"""Runs what the product asks of NetBox against a real one: python3 tests/against_netbox.py https://netbox.example.org TOKEN

It makes a cluster, a few virtual machines and, where they lack, three custom fields, and takes them away again. Use a test instance.
The token may also stand in NETBOX_TOKEN, so that no list of processes shows it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    address = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("NETBOX_URL", "")
    token = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("NETBOX_TOKEN", "")
    if not address.startswith(("http://", "https://")) or not token:
        print(__doc__)
        return 2
    given = {**os.environ, "NETBOX_URL": address.rstrip("/"), "NETBOX_TOKEN": token}
    suite = [sys.executable, "manage.py", "test", "-n", "0", "tests/catalogue/test_netbox.py"]
    return subprocess.run(suite, cwd=ROOT, env=given, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
