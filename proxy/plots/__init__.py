"""Pictures of figures, for whoever shows some: a page, a document, a terminal's companion file.

Rules of this room: numbers in, SVG out; nothing is loaded, nothing runs, text is escaped. It knows no other room.
"""
