"""`holdfast demo`: one recorded agent session, played twice against the simulated provider, and compared.

Rules of this room: nothing is estimated and nothing staged. Both runs go over HTTP with the requests that
the agent would send; figures are what the provider reported, priced by the model's profile; the proxy is
the one that `holdfast serve` starts, with its default policy. The session (`session.jsonl.gz`) is recorded
by `bench/record_session.py`. It must not know how the proxy decides: it sees responses and the log of the
simulated provider, as anybody could.
"""
