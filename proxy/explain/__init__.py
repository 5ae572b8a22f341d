"""What `holdfast explain` and `holdfast sessions` show: a store read back, as figures and as text.

Rules of this room: everything shown was kept when the turn was planned and settled; nothing is computed again but
sums and shares. Only reported tokens make a rate or a cost; what is estimated is called so. No text is shown that
was not redacted when it was kept. It must not know how a store is opened, nor the command line.
"""
