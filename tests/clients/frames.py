"""The messages of a WebSocket, from the bytes of a wire tap.

Rules of this room: the handshake has been read by others; from its answer only the agreed compression is taken.
"""

from collections.abc import Iterator, Sequence

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

HEAD = b"\r\n\r\n"


def messages(sent: Sequence[tuple[float, bytes]], received: bytes) -> Iterator[tuple[float, bytes]]:
    """What the client said after its handshake, each message with the time of its end."""
    protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=None)
    protocol.extensions = _extensions(received.partition(HEAD)[0].lower().decode("latin-1"))
    head, parts = b"", list[bytes]()
    for arrived, data in sent:
        if HEAD not in head:
            head += data
            data = head.partition(HEAD)[2]
        protocol.receive_data(data)
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                parts.append(bytes(frame.data))
                if frame.fin:
                    yield arrived, b"".join(parts)
                    parts = []


def _extensions(answer: str) -> list[Extension]:
    if "permessage-deflate" not in answer:
        return []
    return [PerMessageDeflate("client_no_context_takeover" in answer, "server_no_context_takeover" in answer, 15, 15)]
