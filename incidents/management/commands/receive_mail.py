"""The pipe of a mail server: one message on standard input, one exit code as sendmail's."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError

from incidents import replying
from incidents.models import Reply
from itsm_backup.common.time import now

LARGEST = 10_000_000
TRY_LATER, REFUSED = 75, 77  # EX_TEMPFAIL, EX_NOPERM


class Command(BaseCommand):
    help = (
        "Take a reply to a mail about an incident from standard input. Ends with 0 when it was taken, ignored, or refused with a mail to "
        "its sender; with 77 when the mail server has to refuse it; with 75 when it has to try again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        raw = sys.stdin.buffer.read(LARGEST + 1)
        if len(raw) > LARGEST:
            self.stderr.write("The message is larger than 10 MB. Send words only.")
            sys.exit(REFUSED)
        try:
            reply = replying.take(raw, at=now())
        except (OperationalError, InterfaceError):
            self.stderr.write("The database does not answer. Try again.")
            sys.exit(TRY_LATER)
        except Exception as error:  # ours to mend, and no fault of the sender: the message has to come again
            self.stderr.write(f"It could not be read: {type(error).__name__}. Try again.")
            sys.exit(TRY_LATER)
        if reply.did == Reply.Did.REFUSED:
            self.stderr.write(reply.told)
            sys.exit(REFUSED)
        self.stdout.write(reply.told)
