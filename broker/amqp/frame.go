package amqp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Frame types and sizes, AMQP 0-9-1 §4.2.3.
const (
	FrameMethod    uint8 = 1
	FrameHeader    uint8 = 2
	FrameBody      uint8 = 3
	FrameHeartbeat uint8 = 8

	// FrameMin is the frame size that every peer must accept, and the limit
	// until a larger one is negotiated (RabbitMQ 4.1: 8192).
	FrameMin = 8192
	// FrameOverhead is what a frame adds to its payload.
	FrameOverhead = frameHead + 1

	frameHead       = 7
	frameEnd  uint8 = 0xCE
)

// ProtocolHeader opens a connection; a server sends it back when the client
// opens with anything else, AMQP 0-9-1 §4.2.2.
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// ProtocolHeader09 is that of AMQP 0-9, which RabbitMQ treats as if it were 0-9-1.
const ProtocolHeader09 = "AMQP\x01\x01\x00\x09"

// The read buffer starts small, as most connections are quiet, and doubles
// while reads fill it.
const (
	minReadBuffer = 4 << 10
	maxReadBuffer = 128 << 10
)

// Frame is one frame. Payload is borrowed from the reader.
type Frame struct {
	Type    uint8
	Channel uint16
	Payload []byte
}

// FrameReader reads frames through a buffer of its own. It belongs to one
// goroutine.
type FrameReader struct {
	r          io.Reader
	buf        []byte
	start, end int // the unread part of buf
	max        int // largest frame, overhead included
}

// NewFrameReader returns a reader that accepts frames of at most FrameMin bytes.
func NewFrameReader(r io.Reader) *FrameReader {
	return &FrameReader{r: r, buf: make([]byte, minReadBuffer), max: FrameMin}
}

// SetMax sets the largest frame accepted, overhead included, as negotiated.
func (r *FrameReader) SetMax(size int) { r.max = size }

// ReadProtocolHeader reads the eight bytes that open a connection.
func (r *FrameReader) ReadProtocolHeader() (string, error) {
	b, err := r.peek(len(ProtocolHeader))
	if err != nil {
		return "", err
	}
	r.start += len(b)
	return string(b), nil
}

// Next returns the next frame. Its payload is valid until the next call. The
// error is an *Error when the peer broke the framing.
func (r *FrameReader) Next() (Frame, error) {
	head, err := r.peek(frameHead)
	if err != nil {
		return Frame{}, err
	}
	f, size, err := r.parseHead(head)
	if err != nil {
		return Frame{}, err
	}
	b, err := r.peek(size + FrameOverhead)
	if err != nil {
		return Frame{}, err
	}
	f.Payload = b[frameHead : frameHead+size : frameHead+size]
	if end := b[frameHead+size]; end != frameEnd {
		return Frame{}, ConnectionError(FrameError, "type %d, %s: {invalid_frame_end_marker,%d}", f.Type, Octets(f.Payload), end)
	}
	if !f.known() {
		return Frame{}, ConnectionError(FrameError, "type %d, %s: unknown_frame", f.Type, Octets(f.Payload))
	}
	r.start += size + FrameOverhead
	return f, nil
}

// Ready reports whether Next would return without reading: a whole frame, or
// the beginning of a bad one, is in the buffer.
func (r *FrameReader) Ready() bool {
	have := r.end - r.start
	if have < frameHead {
		return false
	}
	size := binary.BigEndian.Uint32(r.buf[r.start+3:])
	return uint64(size)+FrameOverhead <= uint64(have) || int64(size)+FrameOverhead > int64(r.max)
}

func (r *FrameReader) parseHead(head []byte) (f Frame, size int, err error) {
	f = Frame{Type: head[0], Channel: binary.BigEndian.Uint16(head[1:])}
	n := binary.BigEndian.Uint32(head[3:])
	if limit := r.max - FrameOverhead; int64(n) > int64(limit) {
		return f, 0, ConnectionError(FrameError, "type %d, all octets = <<>>: {frame_too_large,%d,%d}", f.Type, n, limit)
	}
	return f, int(n), nil
}

// known reports whether the frame is of a type that there is; a heartbeat carries
// nothing.
func (f *Frame) known() bool {
	switch f.Type {
	case FrameMethod, FrameHeader, FrameBody:
		return true
	}
	return f.Type == FrameHeartbeat && len(f.Payload) == 0
}

// Octets shows the beginning of a payload as RabbitMQ's texts do.
func Octets(payload []byte) string {
	what := "all octets"
	if len(payload) > 16 {
		what, payload = "first 16 octets", payload[:16]
	}
	if len(payload) > 0 && !bytes.ContainsFunc(payload, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Sprintf("%s = <<%q>>", what, payload)
	}
	return what + " = <<" + strings.Trim(strings.ReplaceAll(fmt.Sprint(payload), " ", ","), "[]") + ">>"
}

// peek returns the next n bytes without consuming them, reading as needed.
func (r *FrameReader) peek(n int) ([]byte, error) {
	for r.end-r.start < n {
		r.makeRoom(n)
		got, err := r.r.Read(r.buf[r.end:])
		r.end += got
		if err != nil && r.end-r.start < n {
			return nil, eofWithin(err, r.end-r.start)
		}
	}
	return r.buf[r.start : r.start+n], nil
}

// eofWithin turns an end in the middle of something into an unexpected one.
func eofWithin(err error, have int) error {
	if err == io.EOF && have > 0 { //nolint:errorlint // io.Reader returns EOF itself
		return io.ErrUnexpectedEOF
	}
	return err
}

// makeRoom moves the unread bytes to the front and grows the buffer when n
// bytes do not fit or when the last read filled it.
func (r *FrameReader) makeRoom(n int) {
	full := r.end == len(r.buf)
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.start, r.end = 0, r.end-r.start
	}
	size := len(r.buf)
	if full && size < maxReadBuffer {
		size *= 2
	}
	if size = max(size, n); size > len(r.buf) {
		grown := make([]byte, size)
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
}

// AppendFrame encodes a frame.
func AppendFrame(b []byte, f Frame) []byte {
	b = appendFrameHead(b, f.Type, f.Channel, len(f.Payload))
	b = append(b, f.Payload...)
	return append(b, frameEnd)
}

// AppendMethodFrame encodes a method in its frame.
func AppendMethodFrame(b []byte, channel uint16, m Method) ([]byte, error) {
	at := len(b)
	b, err := AppendMethod(appendFrameHead(b, FrameMethod, channel, 0), m)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(b[at+3:], uint32(len(b)-at-frameHead))
	return append(b, frameEnd), nil
}

func appendFrameHead(b []byte, kind uint8, channel uint16, size int) []byte {
	return append(b, kind, byte(channel>>8), byte(channel),
		byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
}
