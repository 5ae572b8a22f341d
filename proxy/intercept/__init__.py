"""The intercepting front end: a forward proxy for agents whose base URL cannot be changed, through mitmproxy.

Rules of this room: only connections to the hosts of configured upstreams are decrypted, all others are tunnels;
what `prepare` does not edit passes unchanged, and nothing that streams is held. mitmproxy is imported only by
`addon.py`, `port.py` and the one function of `authority.py` that makes the certificate, so that everything else
works without the extra `intercept`. No module here is named like a package that mitmproxy imports: `mitmdump -s`
puts this folder first on the path. Nobody imports this room but what starts it.
"""
