"""HTTP/2 frame by frame, so that they can be wrong. A library's connection would refuse to send most of this."""

import contextlib
import socket
import ssl

import hpack
import hyperframe.frame as frames
from harness import FORM, basic

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Stream:
    def __init__(self):
        self.headers, self.body, self.reset, self.ended = None, b"", None, False

    @property
    def status(self):
        return self.headers and int(self.headers[":status"])


class Connection:
    """One connection. Frames go out by send(), whatever they are; what comes in is sorted by stream."""

    def __init__(self, server, settings=None, timeout=15):
        context = ssl.create_default_context(cafile=server.dir / "cert.pem")
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=timeout)
        self.timeout = timeout
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        assert self.socket.selected_alpn_protocol() == "h2"
        self.decoder = hpack.Decoder()
        self.rest, self.streams, self.goaway, self.closed, self.seen = b"", {}, None, False, {}
        self.socket.sendall(PREFACE + frames.SettingsFrame(0, settings=settings or {}).serialize())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # -- frames to send

    @staticmethod
    def block(headers):
        """Each field a literal that no table keeps, so that a block is the same bytes on any stream, in any order."""
        return b"".join(b"\x10" + b"".join(Connection.text(t) for t in field) for field in headers)

    @staticmethod
    def text(value):
        value = value.encode("latin-1")
        head = bytes([len(value)]) if len(value) < 127 else b"\x7f" + Connection.varint(len(value) - 127)
        return head + value

    @staticmethod
    def varint(n):
        out = b""
        while n >= 128:
            out += bytes([n % 128 | 128])
            n //= 128
        return out + bytes([n])

    @staticmethod
    def request(auth=None, path="/oauth2/introspect", length=None, more=()):
        fields = [(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost"), ("content-type", FORM)]
        if auth:
            fields.append(("authorization", basic(*auth)))
        if length is not None:
            fields.append(("content-length", str(length)))
        return fields + list(more)

    @classmethod
    def headers(cls, stream, fields, end=False, flags=("END_HEADERS",)):
        frame = frames.HeadersFrame(stream, cls.block(fields))
        for flag in (*flags, *(["END_STREAM"] if end else [])):
            frame.flags.add(flag)
        return frame.serialize()

    @staticmethod
    def data(stream, payload, end=False):
        frame = frames.DataFrame(stream, payload)
        if end:
            frame.flags.add("END_STREAM")
        return frame.serialize()

    @staticmethod
    def reset(stream, code=8):
        return frames.RstStreamFrame(stream, code).serialize()

    # -- what goes and what comes

    def send(self, *parts):
        """False when the server has closed."""
        try:
            self.socket.sendall(b"".join(parts))
        except OSError:
            self.closed = True
        return not self.closed

    def stream(self, number):
        return self.streams.setdefault(number, Stream())

    def is_open(self, number):
        stream = self.stream(number)
        return not (self.closed or stream.ended or stream.reset is not None)

    def take(self, frame):
        name = type(frame).__name__
        self.seen[name] = self.seen.get(name, 0) + 1
        stream = self.stream(frame.stream_id)
        if isinstance(frame, frames.GoAwayFrame):
            self.goaway = frame.error_code
        elif isinstance(frame, frames.HeadersFrame):
            stream.headers = dict(self.decoder.decode(frame.data))
        elif isinstance(frame, frames.DataFrame):
            stream.body += frame.data
        elif isinstance(frame, frames.RstStreamFrame):
            stream.reset = frame.error_code
        stream.ended |= "END_STREAM" in frame.flags

    def wait(self, seconds):
        """Takes in whatever comes for so long."""
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
            self.read_some()
        self.socket.settimeout(self.timeout)

    def read_some(self):
        try:
            part = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError, BrokenPipeError):
            part = b""
        self.closed |= part == b""
        self.rest += part
        while len(self.rest) >= 9:
            frame, length = frames.Frame.parse_frame_header(memoryview(self.rest[:9]))
            if len(self.rest) < 9 + length:
                break
            frame.parse_body(memoryview(self.rest[9:9 + length]))
            self.rest = self.rest[9 + length:]
            self.take(frame)

    def finish(self, *numbers):
        """Reads until these streams are over, or the connection is. Without numbers: until the connection is."""
        while not self.closed and (not numbers or any(self.is_open(n) for n in numbers)):
            self.read_some()
        return [self.stream(n) for n in numbers]
