#!/usr/bin/env python3
"""The one door: `up` runs the product, `test` proves it, everything else is a command of Django.

Standard library only until the environment exists, so that a fresh clone needs nothing but python3.
"""

import signal
import sys

USAGE = """usage: python3 manage.py COMMAND

  up [--host H] [--port N] [--data DIR] [--empty] [--workers N]   start everything, stop with Ctrl-C
  test [pytest arguments]                                         run the test suite
  help                                                            list all other commands
"""


def main(arguments: "list[str]") -> int:
    """Run one command; returns the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 the person may have started it with any python3
        print(f"itsm-backup needs Python 3.11 or newer; this is Python {sys.version.split()[0]}.", file=sys.stderr)
        print("Install a newer one and start again with it, e.g. python3.12 manage.py up", file=sys.stderr)
        return 1
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    from itsm_backup.launcher import trouble

    signal.signal(signal.SIGTERM, leave)
    try:
        return run(arguments)
    except trouble.Trouble as error:
        print(f"\n{error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted. Start again: it goes on where it was.", file=sys.stderr)
        return 130
    return 1


def run(arguments: "list[str]") -> int:
    """Prepare the environment, then hand over to `up`, `test` or Django."""
    from itsm_backup.launcher import preparing, trouble

    command, rest = arguments[0], arguments[1:]
    try:
        if command == "up" and {"-h", "--help"} & set(rest):
            from itsm_backup.launcher.options import options

            options(rest)
        preparing.ensure(with_tests=command == "test")
        from itsm_backup.launcher import running, starting

        if command == "up":
            starting.up(rest)
            return 0
        if command == "test":
            return running.tests(rest)
    except OSError as error:
        raise trouble.from_os_error(error) from error
    running.django(arguments)
    return 0


def leave(number: int, frame: object) -> None:
    """On SIGTERM: end like any other end, so that everything started is stopped."""
    sys.exit(128 + number)


def receive(arguments: "list[str]") -> int:
    """The pipe of a mail server: whatever is not said of the message itself lets it try again, so that no reply bounces for good."""
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        code = 1
    return code if code in (0, 75, 77) else 75  # taken, EX_TEMPFAIL, EX_NOPERM


if __name__ == "__main__":
    sys.exit((receive if sys.argv[1:2] == ["receive_mail"] else main)(sys.argv[1:]))
