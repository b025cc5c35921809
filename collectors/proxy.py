"""The proxy that the environment names: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.

Read as curl and Python's own urllib read it, which alerts go out by: one setting for all. This
machine itself (127.0.0.1, localhost) is never asked for by a proxy.
"""

import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from streams.errors import ConfigError


def environment_proxies() -> dict[str, str]:
    """Proxies by the scheme of what is asked for, `http` and `https`.

    Raises ConfigError for one that is no http or https address; it shows no password."""
    found = getproxies()
    proxies = {}
    for scheme in ("http", "https"):
        address = found.get(scheme) or found.get("all")
        if not address:
            continue
        if "://" not in address:
            address = f"http://{address}"
        try:
            parts = urlsplit(address)
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if not known:
            raise ConfigError(
                f"the environment's {scheme.upper()}_PROXY (or ALL_PROXY) is no address of an HTTP"
                " proxy, as http://proxy.example:3128"
            )
        proxies[scheme] = address
    return proxies


def proxy_for(url: str, proxies: dict[str, str]) -> str | None:
    """The proxy that `url` (a clean one) is asked for by; None: directly."""
    if not proxies:
        return None
    parts = urlsplit(url)
    proxy = proxies.get(parts.scheme)
    host = parts.hostname or ""
    if proxy is None or _is_here(host) or proxy_bypass(host):
        return None
    return proxy


def shown(proxy: str) -> str:
    """A proxy's address without user and password."""
    parts = urlsplit(proxy)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
