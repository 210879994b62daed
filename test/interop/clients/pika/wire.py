"""What breaks the rules of the protocol, frame by frame: the exception that the
broker answers with, and how much of the connection it ends."""
import socket
import struct

import pika.frame
import pika.spec as spec
from session import *

END = b"\xce"


class Peer:
    """A client that sends whatever it is told."""

    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", PORT), PATIENCE)
        self.buffer = b""

    def method(self, channel, method):
        self.raw(pika.frame.Method(channel, method).marshal())

    def frame(self, kind, channel, payload, end=END):
        self.raw(struct.pack(">BHI", kind, channel, len(payload)) + payload + end)

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # the broker has closed: what it said before is read

    def next(self):
        """Returns the next frame, or how the stream ends."""
        while True:
            if self.buffer.startswith(b"AMQP"):
                seen, self.buffer = self.buffer, b""
                return f"{seen!r}"
            try:
                n, frame = pika.frame.decode_frame(self.buffer)
            except KeyError as e:  # a method that this pika does not know
                return "method %d.%d" % divmod(e.args[0], 65536)
            if frame:
                self.buffer = self.buffer[n:]
                if not isinstance(frame, pika.frame.Heartbeat):
                    return frame
                continue
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return "end"
            except socket.timeout:
                return "silence"
            if not more:
                return "end"
            self.buffer += more

    def open(self, frame_max=131072, channel_max=2047):
        self.raw(b"AMQP\0\0\x09\x01")
        self.next()
        self.method(0, spec.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US"))
        self.next()
        self.method(0, spec.Connection.TuneOk(channel_max, frame_max, 0))
        self.method(0, spec.Connection.Open("/"))
        return self.next()

    def channel(self):
        self.open()
        self.method(1, spec.Channel.Open())
        self.next()
        return self


def told(frame):
    if isinstance(frame, pika.frame.Method):
        m = frame.method
        if isinstance(m, (spec.Connection.Close, spec.Channel.Close)):
            return f"channel {frame.channel_number} {type(m).__qualname__} {m.reply_code} {m.reply_text} ({m.class_id}, {m.method_id})"
        if isinstance(m, spec.Connection.Start):
            return f"Connection.Start {m.version_major} {m.version_minor}"
        return f"channel {frame.channel_number} {type(m).__qualname__} {plain(vars(m))}"
    return frame if isinstance(frame, str) else type(frame).__name__


def breach(step, *deeds, opened=True):
    """Does what it is told on channel 1 and shows the broker's answer."""
    peer = Peer()
    if opened:
        peer.channel()
    for deed in deeds:
        deed(peer)
    show(step, told(peer.next()))
    peer.socket.close()


def method(m, channel=1):
    return lambda p: p.method(channel, m)


def frame(kind, payload, channel=1, end=END):
    return lambda p: p.frame(kind, channel, payload, end)


def header(size, kind=60, flags=b"\0\0", channel=1):
    return frame(2, struct.pack(">HHQ", kind, 0, size) + flags, channel)


publish = method(spec.Basic.Publish(exchange="", routing_key="q"))
flush = method(spec.Basic.Qos())

breach("another protocol", lambda p: p.raw(b"GET / HTTP/1.1\r\n\r\n"), opened=False)
breach("AMQP 1.0", lambda p: p.raw(b"AMQP\0\1\0\0"), opened=False)
breach("AMQP 0-9", lambda p: p.raw(b"AMQP\1\1\0\x09"), opened=False)
breach("an unknown method", frame(1, struct.pack(">HH", 60, 99)))
breach("an unknown class", frame(1, struct.pack(">HH", 99, 10)))
breach("a method cut short", frame(1, struct.pack(">HHH", 60, 40, 0)))
breach("a method for channel 0", method(spec.Basic.Qos(), channel=0))
breach("a channel that is not open", method(spec.Basic.Qos(), channel=7))
breach("a channel opened twice", method(spec.Channel.Open()))
breach("a channel beyond the limit", method(spec.Channel.Open(), channel=3000))
breach("connection.open again", method(spec.Connection.Open("/"), channel=0))
breach("connection.start-ok again", method(spec.Connection.StartOk({}, "PLAIN", "", "en_US"), channel=0))
breach("channel.close-ok, not asked for", method(spec.Channel.CloseOk(), channel=9), flush)
breach("a body before its header", publish, frame(3, b"body"))
breach("a method within a publish", publish, flush)
breach("a header without a publish", header(4))
breach("a body without a publish", frame(3, b"body"))
breach("a header of another class", publish, header(4, kind=50))
breach("a second header", publish, header(4), header(4))
breach("properties cut short", publish, header(4, flags=b"\x80\x00"), frame(3, b"body"))
breach("no properties", publish, header(4), frame(3, b"body"), flush)
breach("an empty body frame", publish, header(4), frame(3, b""), frame(3, b"body"), flush)
breach("a header with no body", publish, header(0), flush)
breach("another publish after no body", publish, header(0), publish, header(0), flush)
breach("a message too large", publish, header(2 ** 40), flush)
breach("a frame of an unknown type", frame(7, b""))
breach("a frame without its end", frame(1, b"\0\x3c\0\x0a" + b"\0" * 7, end=b"\0"))
breach("a heartbeat on a channel", frame(8, b""))
breach("a heartbeat with a payload", frame(8, b"x", channel=0), flush)
breach("a frame too large", frame(3, b"x" * 140000))
breach("basic.publish immediate", method(spec.Basic.Publish(exchange="", routing_key="q", immediate=True)), header(0), flush)
breach("a reused consumer tag", method(spec.Queue.Declare(queue="wire", exclusive=True)), method(spec.Basic.Consume(queue="wire", consumer_tag="t", nowait=True)),
       method(spec.Basic.Consume(queue="wire", consumer_tag="t", nowait=True)), lambda p: p.next())
breach("line ends in a name", method(spec.Queue.Declare(queue="two\r\nlines", exclusive=True)))
breach("connection.close", method(spec.Connection.Close(200, "bye", 0, 0), channel=0))
breach("update-secret", frame(1, struct.pack(">HHI", 10, 70, 3) + b"new" + b"\x07expired", channel=0))
breach("wait after an exception", method(spec.Queue.Declare(queue="nobody's", passive=True)), flush)
for size in (4095, 0, 200000):
    peer = Peer()
    show(f"frame_max {size}", told(peer.open(frame_max=size)))
for most in (0, 1, 4000):
    peer = Peer()
    show(f"channel_max {most}", told(peer.open(channel_max=most)))

# A channel's exception leaves the others alone, and its number is free again
# once it is answered.
peer = Peer().channel()
peer.method(2, spec.Channel.Open())
peer.next()
peer.method(1, spec.Queue.Declare(queue="nobody's", passive=True))
show("exception", told(peer.next()))
peer.method(2, spec.Basic.Qos())
show("the other channel", told(peer.next()))
peer.method(1, spec.Channel.CloseOk())
peer.method(1, spec.Channel.Open())
show("the number again", told(peer.next()))

# What the broker says of itself.
peer = Peer()
peer.raw(b"AMQP\0\0\x09\x01")
start = peer.next().method
show("start", start.version_major, start.version_minor, sorted(start.mechanisms.decode().split()), start.locales)
show("capabilities", plain(start.server_properties["capabilities"]))
show("server properties", sorted(start.server_properties))
peer.method(0, spec.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US"))
show("tune", told(peer.next()))
