package amqp

import (
	"testing"
	"time"
)

// FuzzCheckProperties holds the check that keeps nothing against the decoder
// that does: they must agree on what is well-formed.
func FuzzCheckProperties(f *testing.F) {
	full, err := Properties{
		ContentType: "a", ContentEncoding: "b", DeliveryMode: Persistent, Priority: 7, CorrelationID: "c", ReplyTo: "d",
		Expiration: "1", MessageID: "e", Timestamp: time.Unix(1, 0), Type: "f", UserID: "g", AppID: "h", ClusterID: "i",
		Headers: Table{
			"a": []any{Table{"b": "c"}, int64(1), nil, true, int8(1), uint8(2), int16(3), uint16(4), int32(5), uint32(6)},
			"d": Decimal{1, 2}, "e": float32(1), "g": float64(2), "h": []byte("x"), "i": time.Unix(1, 0),
		},
	}.Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add(NoProperties[:])
	for i := range full { // flipped and cut everywhere
		flipped := append([]byte{}, full...)
		flipped[i] ^= 0x5a
		f.Add(flipped)
		f.Add(full[:i])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, want := ParseProperties(b)
		mode, err := CheckProperties(b)
		if (err == nil) != (want == nil) {
			t.Fatalf("check says %v, decoding says %v", err, want)
		}
		if err != nil {
			return
		}
		if mode != p.DeliveryMode || Priority(b) != p.Priority || Flags(b) != p.Flags {
			t.Errorf("peeked at mode %d, priority %d, flags %x of %+v", mode, Priority(b), Flags(b), p)
		}
		for name := range p.Headers {
			if len(name) < 30 && !MayHaveHeader(b, name) {
				t.Errorf("no sign of header %q", name)
			}
		}
	})
}

func TestPeekingAllocatesNothing(t *testing.T) {
	b, err := Properties{Priority: 1, Headers: Table{"host": "a", "CC": []any{"b"}}}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := CheckProperties(b); err != nil || Priority(b) != 1 || !MayHaveHeader(b, "CC") || MayHaveHeader(b, "BCC") {
			t.Error("wrong")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
