package vhost

import (
	"bytes"
	"errors"
	"testing"
)

// goldenRecord is a record header as version 1 wrote it: it must be read for ever.
const goldenRecord = "\x01" + "\xd0\x0f" + "\xf4\x1e" + "\x05thump" + "\x08web.disk" + "\x10\x00\x02"

func goldenMessage() *Message {
	return &Message{
		Exchange: "thump", Key: "web.disk", Header: []byte("\x10\x00\x02"), Body: []byte("body"), Persistent: true,
		published: 2000, expires: 3956,
	}
}

func sameMessage(a, b *Message) bool {
	return a.Exchange == b.Exchange && a.Key == b.Key && bytes.Equal(a.Header, b.Header) && bytes.Equal(a.Body, b.Body) &&
		a.Persistent == b.Persistent && a.published == b.published && a.expires == b.expires
}

func TestRecordFormat(t *testing.T) {
	if got := appendRecord(nil, goldenMessage()); string(got) != goldenRecord {
		t.Errorf("written:\n got %q\nwant %q", got, goldenRecord)
	}
	m, err := parseRecord([]byte(goldenRecord), []byte("body"))
	must(t, err)
	if !sameMessage(m, goldenMessage()) {
		t.Errorf("read: %+v", m)
	}
}

func TestDamagedRecords(t *testing.T) {
	for name, record := range map[string]string{
		"empty":            "",
		"later version":    "\x02" + goldenRecord[1:],
		"cut in a number":  goldenRecord[:2],
		"cut in a name":    goldenRecord[:8],
		"cut before a key": goldenRecord[:11],
		"endless number":   "\x01" + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"name too long":    "\x01\x00\x00\xff\xff\x03abc",
	} {
		if m, err := parseRecord([]byte(record), nil); !errors.Is(err, errRecord) {
			t.Errorf("%s: read %+v, %v", name, m, err)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(goldenRecord))
	f.Add([]byte("\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, record []byte) {
		m, err := parseRecord(record, nil)
		if err != nil {
			return
		}
		again, err := parseRecord(appendRecord(nil, m), nil)
		if err != nil || !sameMessage(m, again) {
			t.Errorf("%+v became %+v (%v)", m, again, err)
		}
	})
}
