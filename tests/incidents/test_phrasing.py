"""What templates and people may say: known placeholders only, no promised time, no internal name."""

from __future__ import annotations

import pytest

from incidents import phrasing, rendering
from monitoring import naming

pytestmark = pytest.mark.req("5.6")


@pytest.mark.parametrize(
    "said",
    [
        "It will be back by 14:00.",
        "We expect to be done within 3 hours.",
        "ETA 30 min",
        "Everything is restored tomorrow, we'll see to it.",
        "The vendor promises a fix in two days",
        "It should work again this afternoon",
        "Restoring will take about an hour.",
        "Back at eight this evening.",
        "Available again from half past nine.",
        "It is online tomorrow.",
        "The vendor hopes for twenty minutes.",
        "Fixed tomorrow.",
        "Service returns at 14:00.",
        "Service is restored at 15:00.",
        "Users can work at noon.",
        "Normal service resumes Monday.",
        "We aim for 6 pm.",
        "Repair is due at 18:00.",
        "Restore takes about two hours.",
        "Recovery takes 40 minutes.",
        "We need another 90 minutes.",
        "The engineers need two more hours.",
        "It will be over on 3 December.",
        "It should be fine by the weekend.",
        "We are confident of a fix within days.",
        "ETA 30.",
        "Fix: tonight",
        "Done, end of business.",
        "We hope for the best before lunch.",
        "Ready after lunch.",
        "Resolution: EOD",
        "Overnight it heals.",
        "Back next shift.",
        "Back within the hour.",
        "We need two shifts.",
        "It was agreed that copies run again at 15:00.",
        "Since the pool was cleared, everything is back at 15:00.",
        "The vendor ordered a part that arrives 2 December.",
        "Users came back to paper, work goes on at 14:00.",
        "The shelf came and restores end at 16:00.",
        "Ready by tea time.",
        "The rest follows in the course of the day.",
        "Service resumes Q4.",
        "Service resumes next quarter.",
        "Back on the 3rd.",
        "Back on the 3rd at the latest.",
        "Back before you know it.",
        "It is fixed in 3 steps, the last at dusk.",
        "Give it a little while.",
        "Any minute now.",
        "The host 10.20.30.40 is back at 10:20.",
        "Back on 24.12.2026.",
    ],
)
def test_a_promised_time_is_found(said):
    assert phrasing.promises(f"The pool is full. {said} Nothing else.") != []


@pytest.mark.parametrize(
    "said",
    [
        "The pool is full since 07:00.",
        "At 09:30 a second disk shelf was ordered.",
        "Two of three restores are done.",
        "We work on it and tell you more.",
        "Copies of the last 5 hours are missing.",
        "The archive was back at 09:30.",
        "The pool is available again since eight.",
        "A second shelf came at nine.",
        "We freed 2 TB at 09:30 and started a run.",
        "The last copy was made on 3 December.",
        "Restored at 15:00, and checked.",
        "At 14:00, the pool was cleared.",
        "Copies were lost on Monday and Tuesday.",
        "The runs of 09:30, 10:30 and 11:30 failed, and nothing was lost.",
        "Since 14:00 and the second restart, nothing failed.",
        "Overnight, the pool was cleared.",
        "The pool was full for a while.",
        "We replace disks on the 2nd shelf.",
        "The last run of 09:30 failed.",
        "pool-eyes on bkp01: /mnt/pool-eyes at 10.20.30.40",
        "The share is 10.20.30.40:8443, its mirror 2001:db8::10:20.",
        "Look at 10.20.30.40.",
    ],
)
def test_what_happened_is_no_promise(said):
    assert phrasing.promises(said) == []


@pytest.mark.parametrize(
    ("said", "is_found"),
    [
        ("No data was lost.", True),
        ("No patient data has been lost", True),
        ("There was no data loss.", True),
        ("It ended without loss of data.", True),
        ("Your data is safe.", True),
        ("The pool failed, and nothing was lost.", True),
        ("Data of Monday was lost.", False),
        ("No data was written to the second pool.", False),
        ("No loss of power was found.", False),
        ("The runs failed since the pool is full.", False),
    ],
)
def test_that_nothing_was_lost_is_for_copies_to_say(said, is_found):
    assert bool(phrasing.reassures(said)) is is_found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("We free /srv/backup/pool7 now", ["/srv/backup/pool7"]),
        ("bkp-ctl-02 has no space", ["bkp-ctl-02"]),
        ("Look at https://wiki.example.org/x.", ["https://wiki.example.org/x."]),
        ("10.20.0.7 does not answer, nor nas.clinic.local", ["10.20.0.7", "nas.clinic.local"]),
        ("The storage of the archive is full and/or slow.", []),
    ],
)
def test_internal_names_are_found(said, found):
    assert naming.internal_names(said, ["bkp-ctl-02", "pacs-2h"]) == found


@pytest.mark.parametrize(
    ("template", "audience", "told"),
    [
        ("{headline} {host}", "business", "{host} is no placeholder. Use only {advice}, {affected}, {departments}"),
        ("{cause}", "business", "{cause} says more than business users are told"),
        ("{alerts}", "owners", "{alerts} says more than service owners are told"),
        ("{services.name}", "owners", "A brace stands alone"),
        ("{", "owners", "A brace stands alone"),
        ("It will be back by 14:00", "owners", "promises a time for every incident"),
        ("No data was lost.", "owners", "says of every incident what nobody measured"),
    ],
)
def test_a_bad_template_is_refused_with_a_sentence(template, audience, told):
    assert told in phrasing.problem_of(template, audience)


def test_every_shipped_template_is_good():
    for audience, body in rendering._BODIES.items():
        for text in ("{headline}", body, rendering._OVER + rendering._MORE.get(audience, "")):
            assert phrasing.problem_of(text, audience) == ""


def test_lines_with_nothing_to_say_fall_away():
    assert phrasing.fill("A\nData: {labels}\nB {words}", {"labels": "", "words": "b"}) == "A\nB b"
