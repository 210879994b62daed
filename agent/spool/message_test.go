package spool

import (
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"thump/internal/bus"
)

func message() *bus.Message {
	return &bus.Message{
		Key: "k", ContentType: "ct", ContentEncoding: "", Type: "metrics", ID: "b-1",
		Time: time.Unix(0, 1), Headers: map[string]string{"host": "h", "a": ""},
	}
}

// TestPropertiesGolden fixes the bytes on disk.
func TestPropertiesGolden(t *testing.T) {
	const want = "016b" + "026374" + "00" + "076d657472696373" + "03622d31" + "02" + "0161" + "00" + "04686f7374" + "0168"
	if got := hex.EncodeToString(appendProperties(nil, message())); got != want {
		t.Errorf("properties are\n%s, want\n%s", got, want)
	}
}

func TestPropertiesCut(t *testing.T) {
	b := appendProperties(nil, message())
	m, err := parseProperties(b)
	if err != nil || !reflect.DeepEqual(m, message()) {
		t.Fatalf("got %+v, %v", m, err)
	}
	for n := range len(b) - 1 {
		m, err := parseProperties(b[:n])
		if err == nil && reflect.DeepEqual(m, message()) {
			t.Errorf("the first %d bytes are the whole", n)
		}
	}
}

func FuzzProperties(f *testing.F) {
	f.Add(appendProperties(nil, message()))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseProperties(b)
		if err != nil {
			return
		}
		again, err := parseProperties(appendProperties(nil, m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}
