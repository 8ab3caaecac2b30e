"""Checks of every request's host and origin, and security headers for every response."""

import re
from ipaddress import ip_address

from flask import Flask, Response, current_app, request

from showtell.web.problems import Problem

# The page has no inline scripts and styles, so the policy can be strict. Of the browser's features
# it needs only the camera. Features that are not listed here are only available to the page itself.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(self), accelerometer=(), display-capture=(), geolocation=(), gyroscope=(), "
        "hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()"
    ),
    # With no-referrer, browsers send "null" as the origin of the page's own form.
    "Referrer-Policy": "same-origin",
}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
SAME_SITE = {"same-origin", "none"}  # none: started by the user, such as from a bookmark

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+?)\.?(?::([0-9]{1,5}))?", re.ASCII)
_SCHEME = re.compile(r"[a-z]+://", re.ASCII)
_PORTS = {"http": "80", "https": "443"}


def register(app: Flask) -> None:
    """Add the checks and the headers to `app`.

    HOSTS in the configuration are the host names that `app` answers to, besides localhost and all
    IP addresses, separated by commas or spaces. A name that starts with a dot is a domain with all
    its subdomains.
    """
    app.config.setdefault("HOSTS", "")
    app.before_request(_refuse_untrusted_hosts)
    app.before_request(_refuse_foreign_origins)
    app.after_request(_secure)


def _refuse_untrusted_hosts() -> None:
    """Refuse other host names, to prevent DNS rebinding attacks."""
    if not _is_trusted(_host()):
        raise Problem(
            400,
            "untrusted_host",
            "This server answers only to localhost and to IP addresses. To allow another host "
            "name, start it with SHOWTELL_HOSTS=NAME in its environment.",
        )


def _host() -> str:
    """Return the Host header: name or address, and port."""
    return request.headers.get("Host", "").lower()


def _is_trusted(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    trusted = _names(str(current_app.config["HOSTS"]))
    return _is_address(match[1]) or any(_is_of(match[1], name) for name in [".localhost", *trusted])


def _is_of(name: str, trusted: str) -> bool:
    """Return whether a name is the trusted one or, if that starts with a dot, a subdomain of it."""
    return name == trusted.removeprefix(".") or (trusted[:1] == "." and name.endswith(trusted))


def _names(hosts: str) -> list[str]:
    """Return the host names in a list of host names, which may also contain URLs.

    >>> _names("NAS.lan:80 https://nas.lan/captions, *.example.org.")
    ['nas.lan', 'nas.lan', '.example.org']
    """
    entries = filter(None, re.split(r"[\s,;]+", hosts.lower()))
    names = [_SCHEME.sub("", entry).partition("/")[0] for entry in entries]
    names = [re.sub(r"(?<!:):\d+$", "", name).removeprefix("*").rstrip(".") for name in names]
    return [name if name.isascii() else _in_ascii(name) for name in names if name]


def _in_ascii(name: str) -> str:
    """Return a name as browsers send it: ``xn--bcher-kva.example`` for ``bücher.example``."""
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def _is_address(name: str) -> bool:
    try:
        return ip_address(name.strip("[]")).version == (6 if name.startswith("[") else 4)
    except ValueError:
        return False


def _refuse_foreign_origins() -> None:
    """Refuse requests from other sites' pages. Clients other than browsers send no origin."""
    if request.method not in SAFE_METHODS and _is_foreign():
        raise Problem(
            403,
            "foreign_origin",
            "A browser may send this only from this server's own pages. A reverse proxy must pass "
            "the Host header on unchanged (nginx: proxy_set_header Host $http_host).",
        )


def _is_foreign() -> bool:
    # Sec-Fetch-Site is set by the browser, so it is right even if a proxy changes the Host header.
    # Browsers omit it over plain HTTP, except for localhost.
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in SAME_SITE
    origin = request.headers.get("Origin")
    return origin is not None and not _is_at(origin.lower(), _host())


def _is_at(origin: str, host: str) -> bool:
    """Return whether an origin is that of a host, which a proxy may have passed on.

    A host without a port has the scheme's default port. If this server listens on another port, a
    proxy has removed the port, and ports are not compared.
    """
    scheme, _, place = origin.partition("://")
    theirs, ours = _HOST.fullmatch(place), _HOST.fullmatch(host)
    usual = _PORTS.get(scheme)
    if not (theirs and ours and usual) or theirs[1] != ours[1]:
        return False
    left_out = ours[2] is None and request.environ.get("SERVER_PORT") not in _PORTS.values()
    return left_out or (theirs[2] or usual) == (ours[2] or usual)


def _secure(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    return response
