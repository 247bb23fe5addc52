"""Beat says at once that it lives; everything else waits for its interval first."""

from itsm_backup.celery import Scheduler, app


def test_the_sign_of_life_leaves_at_once(tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(Scheduler, "apply_async", lambda self, entry, **more: sent.append(entry.task))
    Scheduler(app, schedule_filename=str(tmp_path / "schedule"), lazy=False)
    assert sent == ["itsm_backup.show_life"]
