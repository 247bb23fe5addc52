from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from itsm_backup.demo.world import estate
from itsm_backup.launcher.accounts import service_account
from itsm_backup.launcher.data_folder import SOCKET_PATH_LIMIT, DataFolder
from itsm_backup.launcher.trouble import Trouble

from .conftest import only_as_root


def folder(path: Path, *, is_default: bool = False) -> DataFolder:
    return DataFolder(path, account=service_account(), is_default=is_default)


@pytest.fixture
def data(tmp_path: Path):
    data = folder(tmp_path / "data")
    yield data
    data.remove()


def test_it_has_one_owner_at_a_time_who_says_who_he_is(data):
    assert data.take("up")
    data.publish(command="up", address="http://127.0.0.1:8000/")
    second = folder(data.path)
    assert not second.take("migrate")
    assert second.holder() == {"pid": os.getpid(), "command": "up", "address": "http://127.0.0.1:8000/"}
    data.leave()
    assert second.take("migrate")
    second.leave()


def test_a_first_start_with_the_demo_is_its_organisations_and_a_later_one_changes_no_name(data):
    assert data.names() == {}
    data.begin_demo()
    assert data.names() == {"ORGANISATION": estate()["organisation"]}
    data.secrets()
    (data / "organisation").unlink()  # as `demo remove` does
    data.begin_demo()
    assert data.names() == {}


def test_it_makes_secrets_once_and_for_the_owner_only(data):
    first = data.secrets()
    assert set(first) == {"SECRET_KEY", "FIELD_KEYS"}
    assert folder(data.path).secrets() == first
    assert stat.S_IMODE((data / "secrets.env").stat().st_mode) == 0o600
    from cryptography.fernet import Fernet

    box = Fernet(first["FIELD_KEYS"])
    assert box.decrypt(box.encrypt(b"token")) == b"token"


def test_it_refuses_a_folder_that_holds_something_else(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/dear.txt").write_text("…")
    with pytest.raises(Trouble, match="not empty and is no data folder"):
        folder(tmp_path / "letters")
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["dear.txt"]


def test_it_refuses_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Trouble, match="is a file, not a folder"):
        folder(tmp_path / "file")


def test_it_uses_a_short_private_folder_for_sockets_when_the_path_is_long(tmp_path):
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    data = DataFolder(deep, account=None, is_default=False)
    sockets = data.sockets()
    assert len(str(sockets)) < SOCKET_PATH_LIMIT
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert data.sockets() == sockets
    data.remove()
    assert not sockets.exists()


def test_it_says_where_the_data_was_when_that_folder_is_gone(tmp_path):
    data = folder(tmp_path / "data")
    (data / "services").symlink_to(tmp_path / "gone")
    with pytest.raises(Trouble, match="no longer there"):
        data.services()


def test_it_changes_no_mode_of_a_parent_and_lets_the_system_user_in_elsewhere(tmp_path):
    only_as_root()
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    data = folder(private / "data")
    services = data.services()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert services.is_relative_to("/var/lib/itsm-backup")
    account = service_account()
    assert account is not None
    assert account.may_enter(services)
    assert not account.may_enter(private)
    data.remove()
    assert not services.exists()


def test_it_stays_inside_a_folder_that_the_system_user_can_enter(tmp_path_factory):
    only_as_root()
    made = subprocess.run(["mktemp", "-d", "/tmp/itsm-open-XXXXXX"], capture_output=True, text=True, check=True)
    open_to_all = Path(made.stdout.strip())
    open_to_all.chmod(0o755)
    data = folder(open_to_all / "data")
    assert data.services() == open_to_all / "data/services"
    data.remove()
    open_to_all.rmdir()


def test_two_folders_never_share_their_services(tmp_path):
    first, second = folder(tmp_path / "one/var", is_default=True), folder(tmp_path / "two/var", is_default=True)
    assert first.services() != second.services()
    first.remove()
    second.remove()
