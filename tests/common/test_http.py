"""The one way out: bounded, tried again when that may help, and never led elsewhere. Against a real server."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from itsm_backup.common.http import client as http


class Server(ThreadingHTTPServer):
    answers: list[tuple[int, bytes, dict[str, str]]]
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body, headers = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server():
    found = Server(("127.0.0.1", 0), Handler)
    found.answers, found.asked = [(200, b"OK", {})], []
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/ping/secret-word"


def test_it_brings_the_answer(server):
    answer = http.get(address(server))
    assert (answer.status, answer.body) == (200, b"OK")
    assert server.asked == ["/ping/secret-word"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_tried_again_after_growing_pauses(server, status):
    server.answers = [(status, b"", {}), (status, b"", {}), (200, b"OK", {})]
    waited: list[float] = []
    assert http.get(address(server), wait=waited.append).status == 200
    assert len(waited) == 2
    assert 0.25 <= waited[0] <= 0.75 and 0.5 <= waited[1] <= 1.5


def test_it_gives_up_after_three_tries(server):
    server.answers = [(503, b"", {})]
    with pytest.raises(http.Unreachable, match=r"status 503. Tried 3 times"):
        http.get(address(server), wait=lambda seconds: None)
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_refusal_is_not_tried_again(server, status):
    server.answers = [(status, b"", {})]
    with pytest.raises(http.Unreachable, match=f"status {status}"):
        http.get(address(server), wait=lambda seconds: None)
    assert len(server.asked) == 1


def test_it_follows_no_redirect(server):
    server.answers = [(302, b"", {"Location": "http://127.0.0.1:1/elsewhere"})]
    with pytest.raises(http.Unreachable, match="redirect"):
        http.get(address(server))
    assert len(server.asked) == 1


def test_it_refuses_more_than_it_asked_for(server):
    server.answers = [(200, b"x" * 70_000, {})]
    with pytest.raises(http.Unreachable, match="more than 64,000 bytes"):
        http.get(address(server))


def test_who_cannot_be_reached_is_told_with_what_to_look_at(server):
    wrong = {
        "http://127.0.0.1:1/": "nothing answers at this port",
        "http://no-such-host.invalid/": "its name leads to no address",
        address(server).replace("http://", "https://"): "it does not speak TLS as we do",
    }
    for there, told in wrong.items():
        with pytest.raises(http.Unreachable, match=rf"cannot be reached: {told}.*Check"):
            http.get(there, wait=lambda seconds: None)


def test_nothing_secret_of_the_address_is_told():
    with pytest.raises(http.Unreachable) as caught:
        http.get("http://user:hunter22@127.0.0.1:1/ping/secret-word", wait=lambda seconds: None)
    assert "127.0.0.1 cannot be reached" in str(caught.value)
    assert "secret-word" not in str(caught.value) and "hunter22" not in str(caught.value)
