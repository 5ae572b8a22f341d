"""What is counted: a catalogue of metrics, the events that move them, and one registry that is told of events.

Rules of this room: a leaf. It knows nothing of proxy or policies, only plain numbers and short words.
"""
