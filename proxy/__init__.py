"""The shell: front ends, dialects, stores, archive, and the one driver (`exchange`)."""
