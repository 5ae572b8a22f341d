"""The size of an image is read from its header."""

import base64
import struct

import pytest

from proxy.dialects.images import anthropic_image_tokens


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height)
    return base64.b64encode(head + b"\x08\x06\x00\x00\x00").decode()


@pytest.mark.parametrize(("width", "height", "tokens"), [(1000, 750, 1000), (1, 1, 1), (4000, 4000, 1600)])
def test_a_png_costs_its_area(width: int, height: int, tokens: int) -> None:
    assert anthropic_image_tokens(png(width, height)) == tokens


@pytest.mark.parametrize("data", [None, 7, "", "!", "abc", "/9j/4AAQSkZJRgABAQ" + "A" * 40, png(1, 1)[:20], "é" * 40])
def test_an_unknown_image_costs_what_a_screenshot_does(data: object) -> None:
    assert anthropic_image_tokens(data) == 1500
