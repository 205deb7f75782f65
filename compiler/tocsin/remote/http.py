"""The one HTTP door, on requests: nothing else in the project opens a connection.

What the library would do by itself and this door keeps it from, each measured: send a PUT whose connection dropped four times; turn a
redirected PUT into a GET and report 200; let ~/.netrc or a URL's user replace the token; take a proxy from the environment; keep cookies.

A read is repeated until patience ends. A write is repeated only when it was certainly not applied (429, or 503 with Retry-After); otherwise
it ends as `NotSent` (nothing left), `Refused` (a clear no) or `Ambiguous` (sent, outcome unknown), and what then is the caller's to decide.
In read-only mode a write does not get as far as a connection. No message that leaves here holds a secret, and none is chained to an exception
of the library, whose request object holds the headers.
"""

from __future__ import annotations

import io
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlencode, urlsplit

from tocsin import __version__
from tocsin.remote.access import NO_TLS_FILES, Auth, Redaction, Secret, Tls
from tocsin.remote.answer import Answer
from tocsin.remote.failure import Failure, error_of, is_too_often, is_write_certainly_refused, words_of
from tocsin.remote.request import Body, Request, base_of, segment
from tocsin.remote.retry import Clock, Patience, wait_asked

if TYPE_CHECKING:
    import requests

_QUERIES: Final = frozenset({"query", "query_range", "series", "labels"})
_CHUNK: Final = 65_536


class WriteInReadOnly(RuntimeError):
    """Something tried to write through a read-only door. Our bug, so no `TocsinError`: nobody may take it for a server's refusal and go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: for a connection, for a pause inside an answer, for an answer as a whole."""

    connect: float = 10.0
    read: float = 60.0
    total: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The longest answer that is read, in bytes after unpacking, and the connections kept open."""

    body: int = 64 * 1024 * 1024
    connections: int = 8


class Door:
    """One server. A path is given in segments, each of which is encoded, below whatever path `base_url` has (Grafana under a sub-path).

    `metrics` says that POST to query, query_range, series and labels reads; `watch` is told of every request sent, from any thread.
    Usable from several threads; `close` it, or use it in a `with`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        auth: Auth | None = None,
        tls: Tls = NO_TLS_FILES,
        proxy: Secret | None = None,
        read_only: bool = False,
        metrics: bool = False,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        patience: Patience | None = None,
        headers: Mapping[str, str] | None = None,
        watch: Callable[[str, str], None] | None = None,
    ) -> None:
        self.base_url: Final = base_of(base_url)
        self.read_only: Final = read_only
        self._clock, self._auth, self._tls, self._proxy, self._metrics = clock, auth, tls, proxy, metrics
        self._timeouts = timeouts or Timeouts()
        self._limits = limits or Limits()
        self._patience = patience or Patience()
        self._headers = dict(headers or {})
        self._watch = watch
        through = urlsplit(proxy.reveal()) if proxy else None
        self._redact = Redaction(
            *(auth.secrets if auth else ()),
            *((through.password, unquote(through.password)) if through and through.password else ()),
        )
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._sent: Counter[str] = Counter()
        tls.check()

    def __repr__(self) -> str:
        return f"Door({self.base_url!r}{', read-only' if self.read_only else ''})"

    def __enter__(self) -> Door:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes what is open; the door may be used again."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    @property
    def sent(self) -> Mapping[str, int]:
        """How many requests left, by method, repeated ones included."""
        with self._lock:
            return dict(self._sent)

    def words(self, answer: Answer) -> tuple[str, str]:
        """(machine word, sentence) of an error's body, without secrets: for a client that accepted an error's status."""
        return words_of(answer, self._redact)

    def pause(self, seconds: float) -> None:
        """Lets a server that answers before it is done catch up."""
        self._clock.sleep(seconds)

    def get(
        self,
        *path: str,
        params: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> Answer:
        """GET, repeated while that may help. A status in `accept` is an answer; any other is an error (`tocsin.errors.RemoteError`)."""
        return self._run(self._request("GET", path, params, headers, None, write=False), accept)

    def ask(
        self,
        *path: str,
        form: Iterable[tuple[str, str]],
        headers: Mapping[str, str] | None = None,
        takes: Callable[[Answer], bool] | None = None,
    ) -> Answer:
        """POST that reads, for an expression too long for a URL: a metrics server's query, query_range, series and labels alone. What `takes`
        accepts is an answer too, whatever its status, and is not asked for again."""
        if not (self._metrics and path[-3:-1] == ("api", "v1") and path[-1] in _QUERIES):
            raise WriteInReadOnly(f"POST {'/'.join(path)} is no query of a metrics server")
        request = self._request("POST", path, (), headers, Body.of_form(form), write=False)
        return self._run(request, (200,), takes)

    def send(
        self,
        method: str,
        *path: str,
        body: Body | None = None,
        params: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> Answer:
        """A write. `WriteInReadOnly` before anything leaves if the door is read-only; else an answer with a status in `accept`, or `NotSent`,
        `Refused` or `Ambiguous`."""
        if method == "GET":
            raise ValueError("GET is no write")
        return self._run(self._request(method, path, params, headers, body, write=True), accept)

    def _request(
        self,
        method: str,
        path: tuple[str, ...],
        params: Iterable[tuple[str, str]],
        headers: Mapping[str, str] | None,
        body: Body | None,
        *,
        write: bool,
    ) -> Request:
        bare = "/".join((self.base_url, *map(segment, path)))
        query = urlencode(list(params), quote_via=quote)
        said = {
            "User-Agent": f"tocsin/{__version__}",
            "Accept": "application/json, */*;q=0.1",
            **({"Content-Type": body.type} if body else {}),
            **self._headers,
            **(headers or {}),
        }
        return Request(
            method=method,
            path=path,
            endpoint=self._redact(f"{method} {bare}"),
            url=f"{bare}?{query}" if query else bare,
            headers=said,
            body=body.content if body else None,
            write=write,
        )

    def _run(
        self, request: Request, accept: tuple[int, ...], takes: Callable[[Answer], bool] | None = None
    ) -> Answer:
        if request.write and self.read_only:
            raise WriteInReadOnly(f"{request.endpoint} through a read-only door")
        attempt = 1
        while True:
            result = self._attempt(request)
            if isinstance(result, Answer) and (
                result.status in accept or (takes is not None and takes(result))
            ):
                return result
            pause = self._pause(result, attempt, write=request.write)
            if pause is None:
                break
            self._clock.sleep(pause)
            attempt += 1
        # Raised out here, where no exception of the library is being handled: nothing of it hangs on ours.
        raise error_of(
            result,
            endpoint=request.endpoint,
            write=request.write,
            attempts=attempt,
            redact=self._redact,
            anonymous=self._auth is None,
        )

    def _pause(self, result: Answer | Failure, attempt: int, *, write: bool) -> float | None:
        """Seconds before the next attempt; None where there is to be none."""
        if attempt >= self._patience.attempts:
            return None
        if isinstance(result, Failure):
            return None if write or result.final else self._patience.between(attempt)
        if write and not is_write_certainly_refused(result):
            return None
        if result.status not in (429, 502, 503, 504) and not is_too_often(result):
            return None
        asked = wait_asked(result.headers.get("retry-after"), self._clock)
        if asked is None:
            # A limit for the hour is not over in a few seconds.
            return self._patience.between(attempt) if result.status != 403 else None
        return asked if asked <= self._patience.longest_wait else None

    def _attempt(self, request: Request) -> Answer | Failure:
        """One exchange. An exception of the library becomes a `Failure` here and is forgotten."""
        import requests
        import urllib3

        session = self._open()
        with self._lock:
            self._sent[request.method] += 1
        if self._watch is not None:
            self._watch(request.method, request.endpoint)
        # The token is put in here and nowhere kept: what `Request` shows in a traceback is harmless.
        headers = {**request.headers, **({"Authorization": self._auth.header} if self._auth else {})}
        began = self._clock.monotonic()
        try:
            with session.request(
                request.method,
                request.url,
                data=request.body,
                headers=headers,
                timeout=(self._timeouts.connect, self._timeouts.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                # Unlike a bytearray it gives its bytes away uncopied: an answer may be of 60 MB.
                body = io.BytesIO()
                for chunk in response.iter_content(_CHUNK):
                    body.write(chunk)
                    if body.tell() > self._limits.body:
                        return Failure(f"the answer is longer than {self._limits.body} bytes", final=True)
                    if self._clock.monotonic() - began > self._timeouts.total:
                        return Failure(f"the answer took longer than {self._timeouts.total:g} s", final=True)
                return Answer(
                    endpoint=request.endpoint,
                    status=response.status_code,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=body.getvalue(),
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return self._failure(error)

    def _failure(self, error: BaseException) -> Failure:
        """What went wrong, in our words: the library's text may quote a header or a proxy's password."""
        import requests
        from urllib3 import exceptions as lib

        chain = _chain(error)

        def any_of(*kinds: type[BaseException]) -> bool:
            return any(isinstance(each, kinds) for each in chain)

        untrusted = next((each for each in chain if isinstance(each, ssl.SSLCertVerificationError)), None)
        if untrusted is not None:
            why = self._redact(untrusted.verify_message or "verification failed")
            return Failure(f"its certificate is not trusted ({why})", sent=False, final=True)
        if any_of(lib.ProxyError, requests.exceptions.ProxyError):
            return Failure("the proxy cannot be reached, or does not let it through", sent=False)
        if any_of(lib.NameResolutionError):
            return Failure("the name of the host cannot be resolved", sent=False)
        if any_of(lib.NewConnectionError):  # a kind of ConnectTimeoutError, so first
            return Failure("the connection is refused", sent=False)
        if any_of(lib.ConnectTimeoutError):
            return Failure(f"no connection within {self._timeouts.connect:g} s", sent=False)
        if any_of(
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidHeader,
            requests.exceptions.InvalidProxyURL,
        ):
            return Failure("the address, the proxy or a header is not valid", sent=False, final=True)
        if any_of(lib.ReadTimeoutError, requests.exceptions.ReadTimeout):
            return Failure(f"no answer within {self._timeouts.read:g} s")
        if any_of(ssl.SSLError):
            return Failure("the secured connection broke off: certificates may not fit")
        if any_of(ConnectionError, lib.ProtocolError):
            return Failure("the connection was closed in the middle")
        return Failure(f"it failed with {type(error).__name__}")

    def _open(self) -> requests.Session:
        with self._lock:
            if self._session is None:
                self._session = self._made()
            return self._session

    def _made(self) -> requests.Session:
        from http.cookiejar import DefaultCookiePolicy

        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util.retry import Retry

        session = requests.Session()
        session.trust_env = False
        # Even when it is not to follow, the library reads a redirect to its end, without a bound, and prepares the next request.
        session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
        session.verify = str(self._tls.ca_file) if self._tls.ca_file else True
        if self._tls.client_cert:
            cert, key = self._tls.client_cert, self._tls.client_key
            session.cert = (str(cert), str(key)) if key else str(cert)
        if self._proxy:
            session.proxies = {"http": self._proxy.reveal(), "https": self._proxy.reveal()}
        # A session cookie could speak for somebody else than the token does.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        adapter = HTTPAdapter(
            pool_connections=2,
            pool_maxsize=self._limits.connections,
            pool_block=True,
            max_retries=Retry(
                total=0, read=False, redirect=0, raise_on_redirect=False, respect_retry_after_header=False
            ),
        )
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session


def _chain(error: BaseException) -> list[BaseException]:
    """The error and everything it wraps: the library nests the reason in `args`, in `reason` and in `__cause__`."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        each = queue.pop(0)
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            queue += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
    return found
