"""The HTTP door, against servers on 127.0.0.1 that misbehave on purpose."""

from __future__ import annotations

import base64
import gzip
import logging
import pickle
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.loopback import FakeClock, Handler, Loopback, Reset, Seen, Silence, reply, serving
from tests.patience import eventually

from tocsin.errors import (
    Ambiguous,
    Denied,
    NotSent,
    Redirected,
    Refused,
    RemoteError,
    Unreachable,
    UsageError,
    WrongShape,
)
from tocsin.remote.access import Basic, Bearer, Secret, Tls
from tocsin.remote.http import Door, Limits, Timeouts, WriteInReadOnly
from tocsin.remote.lanes import in_lanes
from tocsin.remote.request import Body
from tocsin.remote.retry import Patience

TOKEN = "glsa_UniqueTokenThatMustNotShow"
PASSWORD = "p@ss/w0rd&MustNotShow"
BODY = Body.of_json({"name": "Störung"})


class World:
    """Servers and doors that end with the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.clock = FakeClock()

    def server(self, handler: Handler, **options: object) -> Loopback:
        return self._stack.enter_context(serving(handler, **options))  # type: ignore[arg-type]

    def door(self, url: str, **options: object) -> Door:
        return self._stack.enter_context(Door(url, clock=self.clock, **options))  # type: ignore[arg-type]


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def always(*replies: object) -> Handler:
    """These answers in turn, the last one for ever."""
    return lambda _seen, number: replies[min(number, len(replies) - 1)]  # type: ignore[return-value]


# What is sent ----------------------------------------------------------------------------------------------


def test_a_path_is_encoded_a_segment_at_a_time_below_the_sub_path(world: World) -> None:
    server = world.server(always(reply()))
    door = world.door(f"{server.url}/ops/grafana/")
    door.get("api", "a b/c%2F?#&ü+~", params=[("q", "x y&z=/"), ("q", "2")])
    assert server.lines == ["GET /ops/grafana/api/a%20b%2Fc%252F%3F%23%26%C3%BC%2B~?q=x%20y%26z%3D%2F&q=2"]


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_a_dot_segment_is_not_sent(world: World, part: str) -> None:
    server = world.server(always(reply()))
    with pytest.raises(UsageError):
        world.door(server.url).get("api", part, "rules")
    assert server.connections == 0


def test_a_write_carries_its_bytes_type_and_headers(world: World) -> None:
    server = world.server(always(reply(201, {"ok": True})))
    door = world.door(server.url, auth=Bearer(Secret(TOKEN)), headers={"X-Scope-OrgID": "eu"})
    answer = door.send("POST", "x", body=BODY, headers={"X-More": "1"}, accept=(201,))
    (seen,) = server.seen
    assert seen.body == '{"name": "Störung"}'.encode()
    wanted = {
        "content-type": "application/json",
        "authorization": f"Bearer {TOKEN}",
        "x-scope-orgid": "eu",
        "x-more": "1",
    }
    assert wanted.items() <= seen.headers.items()
    assert (answer.status, answer.json().flag("ok")) == (201, True)
    assert dict(door.sent) == {"POST": 1}


def test_basic_credentials_are_sent_as_such(world: World) -> None:
    server = world.server(always(reply()))
    world.door(server.url, auth=Basic("ünï", Secret(PASSWORD))).get("x")
    encoded = server.seen[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(encoded).decode() == f"ünï:{PASSWORD}"


def test_connections_are_kept_and_cookies_are_not(world: World) -> None:
    server = world.server(always(reply(Set_Cookie="session=someone-else; Path=/")))
    door = world.door(server.url)
    for _ in range(5):
        door.get("x")
    assert server.connections == 1
    assert not any("cookie" in each.headers for each in server.seen)


# What stands around and must not matter --------------------------------------------------------------------


def test_netrc_does_not_replace_the_token(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login thief password stolen\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    server = world.server(always(reply()))
    world.door(server.url, auth=Bearer(Secret(TOKEN))).get("x")
    world.door(server.url).get("x")
    assert [each.headers.get("authorization") for each in server.seen] == [f"Bearer {TOKEN}", None]


def test_a_proxy_of_the_environment_is_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trap, server = world.server(always(reply())), world.server(always(reply()))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, trap.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    world.door(server.url).get("x")
    assert (trap.connections, len(server.seen)) == (0, 1)


def test_a_proxy_that_is_given_is_used_and_its_password_stays_hidden(world: World) -> None:
    proxy = world.server(always(reply(), reply(500, {"message": "for proxy@pw and proxy%40pw says no"})))
    given = Secret(proxy.url.replace("://", "://me:proxy%40pw@"))
    door = world.door("http://grafana.example:3000/sub", proxy=given)
    door.get("x")
    (seen,) = proxy.seen
    assert seen.target == "http://grafana.example:3000/sub/x"
    assert base64.b64decode(seen.headers["proxy-authorization"].removeprefix("Basic ")) == b"me:proxy@pw"
    with pytest.raises(Refused) as refused:
        door.get("x")
    shown = everything_in(refused.value)
    assert "proxy@pw" not in shown and "proxy%40pw" not in shown


def test_a_proxy_that_is_not_there_means_nothing_was_sent(world: World) -> None:
    door = world.door(
        "http://grafana.example", proxy=Secret(f"http://me:proxy%40pw@127.0.0.1:{closed_port()}")
    )
    with pytest.raises(NotSent, match="the proxy") as failed:
        door.send("PUT", "x", body=BODY)
    assert "proxy%40pw" not in everything_in(failed.value) and "proxy@pw" not in str(failed.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_redirect_is_an_error_and_not_followed(world: World, status: int, method: str) -> None:
    trap = world.server(always(reply()))
    location = f"{trap.url.replace('://', '://user:pw@')}/login?ticket=SECRETTICKET#frag"
    server = world.server(always(reply(status, Location=location)))
    door = world.door(server.url, auth=Bearer(Secret(TOKEN)))
    with pytest.raises(Redirected) as pointed:
        door.get("x") if method == "GET" else door.send(method, "x", body=BODY)
    assert f"{trap.url}/login" in str(pointed.value)
    assert "SECRETTICKET" not in str(pointed.value) and "user:pw" not in str(pointed.value)
    assert (trap.connections, len(server.seen)) == (0, 1)


def test_a_redirect_to_a_path_and_to_nonsense_are_named(world: World) -> None:
    server = world.server(always(reply(302, Location="/login?x=1"), reply(302, Location="http://[bad")))
    door = world.door(server.url)
    for words in ("points to /login,", "an unreadable address"):
        with pytest.raises(Redirected, match=words):
            door.get("x")


def test_a_redirect_is_not_read_without_a_bound(world: World) -> None:
    server = world.server(always(reply(302, b"x" * 2000, Location="/login")))
    with pytest.raises(Unreachable, match="longer than 1000 bytes"):
        world.door(server.url, limits=Limits(body=1000)).get("x")


# Reading: repeated -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [reply(502, b"<html><title>Bad</title>"), reply(503), reply(504), Reset()])
def test_a_read_is_repeated(world: World, first: object) -> None:
    server = world.server(always(first, first, reply(200, {"a": 1})))
    assert world.door(server.url).get("x").json().whole("a") == 1
    assert len(server.seen) == 3
    assert world.clock.slept == [0.5, 1.0]


def test_patience_ends(world: World) -> None:
    server = world.server(always(reply(502, b"<!doctype html><html><title>Bad gateway</title>")))
    with pytest.raises(Unreachable, match=r"502, an HTML page: Bad gateway \(4 attempts\)"):
        world.door(server.url, patience=Patience(attempts=4, longest_pause=0.7)).get("x")
    assert len(server.seen) == 4
    assert world.clock.slept == [0.5, 0.7, 0.7]


def test_what_is_waited_is_what_the_server_asks(world: World) -> None:
    date = "Mon, 02 Nov 2026 10:00:42 GMT"
    server = world.server(
        always(
            reply(429, Retry_After="7"), reply(503, Retry_After=date), reply(429, Retry_After="soon"), reply()
        )
    )
    world.door(server.url).get("x")
    assert world.clock.slept == [7.0, 42.0, 2.0]


def test_a_wait_that_is_too_long_is_not_waited_but_told(world: World) -> None:
    server = world.server(always(reply(429, Retry_After="3600")))
    with pytest.raises(Refused) as refused:
        world.door(server.url).get("x")
    assert (refused.value.help, world.clock.slept, len(server.seen)) == ("it asks to wait 3600", [], 1)


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_an_answer_that_will_stay_is_not_asked_for_again(world: World, status: int) -> None:
    body = {"message": "no rule", "messageId": "alerting.none", "traceID": ""}
    server = world.server(always(reply(status, body)))
    with pytest.raises(Refused, match="no rule") as refused:
        world.door(server.url).get("x")
    assert (refused.value.status, refused.value.kind, refused.value.said) == (
        status,
        "alerting.none",
        "no rule",
    )
    assert (len(server.seen), refused.value.exit_code) == (1, 3)


@pytest.mark.parametrize("body", [b"null", b"", b'"text"', b"[1]", b"\xff\xfe\x00", b"[" * 100_000])
def test_an_error_may_have_any_body(world: World, body: bytes) -> None:
    server = world.server(always(reply(400, body)))
    with pytest.raises(Refused, match="400"):
        world.door(server.url).get("x")


@pytest.mark.parametrize(
    ("status", "token", "words"),
    [
        (401, "t0ken", "are not accepted"),
        (401, "", "and none were given"),
        (403, "t0ken", "do not allow this"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_denied(world: World, status: int, token: str, words: str, method: str) -> None:
    server = world.server(always(reply(status, {"message": "Permissions needed: x"})))
    door = world.door(server.url, auth=Bearer(Secret(token)) if token else None)
    with pytest.raises(Denied, match=f"{words} .Permissions needed: x") as denied:
        door.get("x") if method == "GET" else door.send(method, "x")
    assert (denied.value.exit_code, len(server.seen)) == (3, 1)


def test_an_accepted_status_is_an_answer(world: World) -> None:
    server = world.server(always(reply(404, b"null")))
    assert world.door(server.url).get("x", accept=(200, 404)).status == 404


# Writing: never guessed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize(
    "outcome",
    [
        Reset(),
        Reset(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
        reply(500),
        reply(502),
        reply(503),
        reply(504),
        reply(408),
    ],
)
def test_a_write_whose_outcome_is_unknown_is_sent_once(world: World, method: str, outcome: object) -> None:
    server = world.server(always(outcome))
    with pytest.raises(Ambiguous) as unknown:
        world.door(server.url).send(method, "x", body=BODY)
    assert len(server.seen) == 1 and dict(world.clock.__dict__)["slept"] == []
    assert unknown.value.endpoint == f"{method} {server.url}/x"


def test_a_reset_on_a_connection_that_was_kept_is_not_repaired_by_a_second_write(world: World) -> None:
    server = world.server(lambda seen, _number: reply() if seen.method == "GET" else Reset())
    door = world.door(server.url)
    door.get("x")
    with pytest.raises(Ambiguous):
        door.send("PUT", "x", body=BODY)
    assert [each.method for each in server.seen] == ["GET", "PUT"]
    assert server.connections == 1


def test_what_the_server_said_is_kept_for_the_reader_of_an_ambiguous_write(world: World) -> None:
    server = world.server(always(reply(500, {"message": "failed to update rule: title taken"})))
    with pytest.raises(Ambiguous) as unknown:
        world.door(server.url).send("PUT", "x", body=BODY)
    assert (unknown.value.status, unknown.value.said) == (500, "failed to update rule: title taken")


def test_a_write_without_an_answer_in_time_is_ambiguous(world: World) -> None:
    server = world.server(always(Silence()))
    door = world.door(server.url, timeouts=Timeouts(read=0.3))
    with pytest.raises(Ambiguous, match=r"no answer within 0\.3 s"):
        door.send("PUT", "x", body=BODY)
    eventually(lambda: server.seen, "the server reads what was sent")
    assert len(server.seen) == 1


def test_an_unexpected_success_of_a_write_is_read_back_too(world: World) -> None:
    server = world.server(always(reply(204)))
    with pytest.raises(Ambiguous, match="204"):
        world.door(server.url).send("PUT", "x", body=BODY)


def test_a_write_that_was_certainly_not_applied_is_repeated(world: World) -> None:
    server = world.server(
        always(reply(429, Retry_After="3"), reply(503, Retry_After="4"), reply(429), reply(200))
    )
    world.door(server.url).send("PUT", "x", body=BODY)
    assert world.clock.slept == [3.0, 4.0, 2.0]
    assert [each.body for each in server.seen] == [BODY.content] * 4


def test_a_write_that_is_always_too_early_was_not_applied(world: World) -> None:
    server = world.server(always(reply(503, Retry_After="1")))
    with pytest.raises(Refused):
        world.door(server.url, patience=Patience(attempts=3)).send("PUT", "x", body=BODY)
    assert len(server.seen) == 3


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_no_connection_means_nothing_was_sent(world: World, method: str) -> None:
    door = world.door(f"http://127.0.0.1:{closed_port()}", auth=Bearer(Secret(TOKEN)))
    with pytest.raises(NotSent, match="the connection is refused") as failed:
        door.get("x") if method == "GET" else door.send(method, "x", body=BODY)
    assert len(world.clock.slept) == (4 if method == "GET" else 0)
    assert failed.value.exit_code == 3


def test_an_unknown_name_means_nothing_was_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotSent, match="cannot be resolved"):
        world.door("https://grafana.invalid").send("PUT", "x", body=BODY)


# Read-only -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "put", "HEAD"])
def test_a_read_only_door_lets_no_write_reach_a_connection(world: World, method: str) -> None:
    server = world.server(always(reply()))
    door = world.door(server.url, read_only=True, metrics=True)
    for path in (("x",), ("api", "v1", "query"), ("-", "reload")):
        with pytest.raises(WriteInReadOnly):
            door.send(method, *path, body=BODY)
    assert (server.connections, server.received, dict(door.sent)) == (0, 0, {})
    assert not isinstance(WriteInReadOnly(), RemoteError)


def test_a_metrics_door_may_post_a_query_even_when_it_is_read_only(world: World) -> None:
    server = world.server(always(reply(502), reply()))
    door = world.door(f"{server.url}/prom", read_only=True, metrics=True)
    door.ask("api", "v1", "query", form=[("query", 'up{a="b&c"}')])
    assert server.lines == ["POST /prom/api/v1/query"] * 2  # a query may be repeated
    assert server.seen[0].body == b"query=up%7Ba%3D%22b%26c%22%7D"


@pytest.mark.parametrize(
    "path",
    [
        ("api", "v1", "rules"),
        ("-", "reload"),
        ("api", "v1", "admin", "tsdb", "query"),
        ("v1", "query"),
        ("query",),
    ],
)
def test_nothing_else_may_be_posted_as_a_query(world: World, path: tuple[str, ...]) -> None:
    server = world.server(always(reply()))
    with pytest.raises(WriteInReadOnly):
        world.door(server.url, metrics=True).ask(*path, form=[])
    assert server.connections == 0


def test_a_grafana_door_may_post_no_query(world: World) -> None:
    server = world.server(always(reply()))
    with pytest.raises(WriteInReadOnly):
        world.door(server.url).ask("api", "v1", "query", form=[])
    assert server.connections == 0


# What is answered ------------------------------------------------------------------------------------------


def test_a_gigantic_answer_is_not_read_to_its_end(world: World) -> None:
    bomb = gzip.compress(b"x" * 5_000_000)
    server = world.server(always(reply(200, bomb, Content_Encoding="gzip")))
    door = world.door(server.url, limits=Limits(body=1_000_000))
    with pytest.raises(Unreachable, match="longer than 1000000 bytes"):
        door.get("x")
    assert len(server.seen) == 1  # it would be as long the next time


def test_an_answer_of_just_the_limit_is_read(world: World) -> None:
    server = world.server(always(reply(200, b"x" * 1000), reply(200, b"x" * 1001)))
    door = world.door(server.url, limits=Limits(body=1000))
    assert len(door.get("x").body) == 1000
    with pytest.raises(Unreachable):
        door.get("x")


def test_an_answer_that_drips_ends_in_time(world: World) -> None:
    server = world.server(always(reply(200, b"x" * 200_000)))

    class Slow(FakeClock):
        def monotonic(self) -> float:
            self.slept.append(200.0)
            return super().monotonic()

    world.clock = Slow()
    with pytest.raises(Unreachable, match="took longer than 300 s"):
        world.door(server.url).get("x")


@pytest.mark.parametrize(
    ("body", "use", "field"),
    [
        ([{"uid": "a"}, {"uid": 7}], lambda read: [each.text("uid") for each in read.each()], "[1].uid"),
        ({"data": {"groups": "x"}}, lambda read: list(read["data"]["groups"].each()), "data.groups"),
        ({"data": [1]}, lambda read: read["data"]["groups"], "data"),
        ({"n": "1"}, lambda read: read.number("n"), "n"),
        ({"n": True}, lambda read: read.number("n"), "n"),
        ({"n": 1.5}, lambda read: read.whole("n"), "n"),
        ({"b": "no"}, lambda read: read.flag("b"), "b"),
        ({"l": {"a": 1}}, lambda read: read.texts("l"), "l.a"),
        ({}, lambda read: read.text("uid"), "uid"),
        ({"l": {"\x1b[2J" + "k" * 300: 1}}, lambda read: read.texts("l"), "l.?[2J" + "k" * 194),
        ([], lambda read: read.text("uid"), ""),
    ],
)
def test_a_wrong_shape_names_endpoint_and_field(
    world: World, body: object, use: Callable[[object], object], field: str
) -> None:
    server = world.server(always(reply(200, body)))
    read = world.door(server.url).get("x").json()
    with pytest.raises(WrongShape) as wrong:
        use(read)
    assert wrong.value.field == field
    assert f"GET {server.url}/x: {field or 'the answer'} is " in str(wrong.value)
    assert wrong.value.exit_code == 6


@pytest.mark.parametrize("body", [b"", b"<html>login</html>", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_is_a_wrong_shape(world: World, body: bytes) -> None:
    server = world.server(always(reply(200, body, Content_Type="text/html; charset=utf-8")))
    answer = world.door(server.url).get("x")
    with pytest.raises(WrongShape, match="no JSON"):
        answer.json()


# Secrets ---------------------------------------------------------------------------------------------------


def everything_in(error: BaseException | None) -> str:
    """All that could be printed of an error: texts, attributes, traceback, and of what hangs on it."""
    found = ""
    while error is not None:
        found += f"{error} {error!r} {vars(error)!r} {''.join(traceback.format_exception(error))}"
        error = error.__cause__ or error.__context__
    return found


@pytest.mark.parametrize(
    "auth", [Bearer(Secret(TOKEN)), Basic("ops", Secret(PASSWORD))], ids=["token", "password"]
)
@pytest.mark.parametrize(
    "echo",
    [
        lambda seen: reply(400, {"message": f"bad header {seen.headers['authorization']}"}),
        lambda seen: reply(500, {"message": f"tried {TOKEN} and {PASSWORD} and p%40ss%2Fw0rd%26MustNotShow"}),
        lambda seen: reply(403, f"plain {TOKEN} {PASSWORD}".encode()),
        lambda seen: reply(302, Location=f"http://127.0.0.1/{seen.headers['authorization'].split()[1]}"),
        lambda seen: reply(200, f"<p>{PASSWORD}".encode()),
        lambda seen: Reset(),
        lambda seen: reply(429, Retry_After=f"9999 {TOKEN}"),
    ],
    ids=["400", "500", "403", "302", "no-json", "reset", "429"],
)
def test_no_secret_gets_into_errors_or_logs(
    world: World, caplog: pytest.LogCaptureFixture, auth: Bearer | Basic, echo: Callable[[Seen], object]
) -> None:
    caplog.set_level(logging.DEBUG)
    server = world.server(lambda seen, _number: echo(seen))  # type: ignore[return-value]
    door = world.door(server.url, auth=auth)
    for act in (lambda: door.get("x").json(), lambda: door.send("PUT", "x", body=BODY).json()):
        with pytest.raises(RemoteError) as failed:
            act()
        encoded = base64.b64encode(f"ops:{PASSWORD}".encode()).decode()
        mine = [TOKEN] if isinstance(auth, Bearer) else [PASSWORD, encoded]
        shown = everything_in(failed.value) + caplog.text + repr(door) + repr(auth)
        assert [each for each in mine if each in shown] == []
        assert "p%40ss" not in shown or isinstance(auth, Bearer)
        assert failed.value.__context__ is None and failed.value.__cause__ is None


@pytest.mark.parametrize("before", range(270, 300, 3))
def test_a_secret_is_not_shown_in_half_either(world: World, before: int) -> None:
    server = world.server(always(reply(400, {"message": "x" * before + TOKEN})))
    with pytest.raises(Refused) as refused:
        world.door(server.url, auth=Bearer(Secret(TOKEN))).get("x")
    assert TOKEN[:6] not in str(refused.value)


def test_a_secret_shows_nowhere() -> None:
    secret = Secret(TOKEN)
    assert {str(secret), repr(secret), f"{secret}", f"{secret:>3}", repr([secret])} == {
        "***",
        "[***]",
    }
    assert secret == Secret(TOKEN) and secret != Secret("x") and hash(secret) == hash(Secret(TOKEN))
    assert not hasattr(secret, "__dict__")
    with pytest.raises(AttributeError):
        secret._text = "y"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "a\r\nX-Evil: 1", "tökén", "\x00"])
def test_a_token_that_would_break_the_header_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(UsageError) as wrong:
        Bearer(Secret(token))
    assert not token or token not in everything_in(wrong.value).replace(" ", "")


@pytest.mark.parametrize(
    "url",
    ["", "grafana.example", "ftp://x", "file:///etc", "http://", "http://a b", "http://x:0", "http://x:99999", "http://x\\y",
     "http://me:pw@x", "http://me@x", "http://x/?a=1", "http://x/#a", "http://[::1", "http://x\n"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(UsageError) as wrong:
        Door(url, clock=FakeClock())
    assert "pw" not in str(wrong.value)


# Certificates ----------------------------------------------------------------------------------------------


def test_files_that_are_not_there_are_named_first(tmp_path: Path) -> None:
    from tocsin.errors import MachineError

    for tls in (Tls(ca_file=tmp_path / "none"), Tls(client_cert=tmp_path / "none")):
        with pytest.raises(MachineError, match="there is no"):
            Door("https://x", clock=FakeClock(), tls=tls)
    with pytest.raises(UsageError):
        Door("https://x", clock=FakeClock(), tls=Tls(client_key=tmp_path))


# Many at once ----------------------------------------------------------------------------------------------


def test_many_threads_share_a_few_connections(world: World) -> None:
    server = world.server(lambda seen, _number: reply(200, {"path": seen.target}))
    watched: list[str] = []
    door = world.door(
        server.url,
        limits=Limits(connections=3),
        watch=lambda method, endpoint: watched.append(f"{method} {endpoint}"),
    )
    outcomes = in_lanes(
        range(60),
        lambda number: door.get(f"n{number}").json().text("path"),
        lane=lambda number: number,
        workers=12,
    )
    assert [each.result for each in outcomes] == [f"/n{number}" for number in range(60)]
    assert server.connections <= 3
    assert door.sent == {"GET": 60} and len(set(watched)) == 60
