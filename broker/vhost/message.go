package vhost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
)

// Message is a message as it was published.
type Message struct {
	Exchange, Key string
	Header        []byte // encoded properties, exactly as received
	Body          []byte
	Persistent    bool // delivery-mode 2
	Mandatory     bool // the session returns it when Publish routed it nowhere

	also      []string // further routing keys: the sender's CC and BCC
	published int64    // ms since 1970; set before a queue or the journal keeps the message
	expires   int64    // the same, by the property expiration; 0: it has none
}

// stored is a message that queues hold in memory: one copy for all of them.
type stored struct {
	Message
	refs atomic.Int32 // entries and deliveries that hold it
}

// storedOverhead is about what a stored message takes beside its bytes.
const storedOverhead = 160

// footprint returns the memory that the message takes.
func (s *stored) footprint() int64 {
	return int64(len(s.Header)+len(s.Body)) + storedOverhead
}

// store copies m, whose bytes are borrowed.
func store(m *Message) *stored {
	s := &stored{Message: *m}
	buf := append(append(make([]byte, 0, len(m.Header)+len(m.Body)), m.Header...), m.Body...)
	s.Header, s.Body = buf[:len(m.Header):len(m.Header)], buf[len(m.Header):]
	return s
}

// entry is the place of a message in a queue, 24 bytes while it waits.
type entry struct {
	msg         *stored // nil: only the journal has it
	id          uint64  // in the journal; 0: this queue's copy is not durable
	size        uint32  // of the body, bytes
	redelivered bool
	priority    uint8  // within the queue's limit; 0 unless it has x-max-priority
	attempts    uint16 // times that it was delivered and put back, as far as it counts
}

// recordVersion begins the header of a journal record, see FORMAT.md.
const recordVersion = 1

var errRecord = errors.New("journal record is not a message of this version")

// appendRecord encodes the header of a journal record: what of a message is not
// its body.
func appendRecord(b []byte, m *Message) []byte {
	b = append(b, recordVersion)
	b = binary.AppendUvarint(b, uint64(m.published))
	b = binary.AppendUvarint(b, uint64(m.expires))
	b = binary.AppendUvarint(b, uint64(len(m.Exchange)))
	b = append(b, m.Exchange...)
	b = binary.AppendUvarint(b, uint64(len(m.Key)))
	b = append(b, m.Key...)
	return append(b, m.Header...)
}

// parseRecord is the inverse of appendRecord. The message keeps header and body.
func parseRecord(header, body []byte) (*Message, error) {
	if len(header) == 0 || header[0] != recordVersion {
		return nil, errRecord
	}
	published, rest, err := cutNumber(header[1:])
	if err != nil {
		return nil, fmt.Errorf("read time of publish: %w", err)
	}
	expires, rest, err := cutNumber(rest)
	if err != nil {
		return nil, fmt.Errorf("read time of expiry: %w", err)
	}
	exchange, rest, err := cutText(rest)
	if err != nil {
		return nil, fmt.Errorf("read exchange: %w", err)
	}
	key, rest, err := cutText(rest)
	if err != nil {
		return nil, fmt.Errorf("read routing key: %w", err)
	}
	return &Message{
		Exchange: exchange, Key: key, Header: rest, Body: body, Persistent: true,
		published: int64(published), expires: int64(expires),
	}, nil
}

func cutNumber(b []byte) (n uint64, rest []byte, err error) {
	n, width := binary.Uvarint(b)
	if width <= 0 {
		return 0, nil, errRecord
	}
	return n, b[width:], nil
}

func cutText(b []byte) (text string, rest []byte, err error) {
	n, b, err := cutNumber(b)
	if err != nil || n > uint64(len(b)) {
		return "", nil, errRecord
	}
	return string(b[:n]), b[n:], nil
}
