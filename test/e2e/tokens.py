"""A token's text, taken apart and put together again with a right checksum: docs/record-format.md has its form."""

import base64

TABLE = []
for byte in range(256):
    value = byte
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    TABLE.append(value)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def parts(text):
    """(head, address, secret): `assay_at_`, 16 bytes, 22 bytes."""
    body = base64.urlsafe_b64decode(text[-56:])
    return text[:-56], body[:16], body[16:38]


def write(head, address, secret):
    body = address + secret
    return head + base64.urlsafe_b64encode(body + crc32c(head.encode() + body).to_bytes(4, "big")).decode()
