"""Compile a month's report now: of a schedule, or of the services that the options name."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from itsm_backup.common import pdf
from itsm_backup.common.time import now
from reporting import compiling, rendering, scheduling
from reporting.models import Report, ReportSchedule
from reporting.scoping import Month, NotYet, Scope, month_before, month_of


class Command(BaseCommand):
    help = "Compile the report of a month that is over; says so when nothing changed since the last time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", metavar="YYYY-MM", help="default: the month before this one")
        parser.add_argument("--schedule", metavar="NAME", help="the schedule of this name: its services, policy and recipients")
        parser.add_argument("--department", default="", help="only services of this department")
        parser.add_argument("--type", default="", help="only services of this application type")
        parser.add_argument("--tier", type=int, choices=(1, 2, 3, 4), help="only this tier")
        parser.add_argument("--label", default="", help="only services with this label")
        parser.add_argument("--policy", choices=ReportSchedule.Policy.values, default="block", help="what a failed check means")

    def handle(self, *args: Any, **options: Any) -> None:
        at = now()
        try:
            report, new = self._compile(options, at)
        except (NotYet, compiling.Busy) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{report.number}: {report.title}, {report.month:%B %Y}, revision {report.revision}, {report.get_state_display()}"
        )
        self.stdout.write("made now" if new else "nothing changed since it was made")
        for change in report.changes if new else []:
            self.stdout.write(f"  {change}")
        self.stdout.write(f"seal {bytes(report.seal).hex()}")
        for file in report.files.order_by("name").defer("content"):
            self.stdout.write(f"  {bytes(file.digest).hex()}  {file.name}")
        if (why := pdf.why_off()) and report.state != Report.State.BLOCKED:
            self.stdout.write(why)

    def _compile(self, options: dict[str, Any], at: dt.datetime) -> tuple[Report, bool]:
        if options["schedule"] is not None:
            schedule = ReportSchedule.objects.filter(name=options["schedule"]).first()
            if schedule is None:
                known = ", ".join(ReportSchedule.objects.values_list("name", flat=True)) or "none"
                raise CommandError(f"There is no schedule called {options['schedule']}. Known: {known}.")
            return scheduling.work(schedule=schedule, at=at, month=self._month(options["month"], schedule.zone, at))
        scope = Scope(department=options["department"], application_type=options["type"], tier=options["tier"], label=options["label"])
        month = self._month(options["month"], settings.TIME_ZONE, at)
        report, new = compiling.compile_month(month=month, scope=scope, at=at, policy=options["policy"])
        rendering.render(report=report, at=at)
        return report, new

    def _month(self, text: str | None, zone: str, at: dt.datetime) -> Month:
        return month_of(text, zone=zone, at=at) if text else month_before(at, zone=zone)
