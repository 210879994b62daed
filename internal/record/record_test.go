package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

const seed = 0x5eed

// TestGolden fixes the bytes on disk.
func TestGolden(t *testing.T) {
	got := hex.EncodeToString(Append(nil, seed, 3, []byte("meta"), []byte("bo"), []byte("dy")))
	want := "036be110" + "03" + "040000" + "04000000" + "9510071b" + "50c93f26" + "6d657461" + "626f6479"
	if got != want {
		t.Errorf("record is\n%s, want\n%s", got, want)
	}
}

func TestParse(t *testing.T) {
	b := Append(nil, seed, 9, []byte("m"), []byte("body"))
	r, body, err := Parse(append(b, "more"...), seed)
	if err != nil || r.Kind != 9 || string(r.Meta) != "m" || string(body) != "body" || r.Size() != int64(len(b)) {
		t.Fatalf("Parse = %+v, %q, %v", r, body, err)
	}
	for i := range b {
		c := slices.Clone(b)
		c[i] ^= 0x10
		if _, _, err := Parse(c, seed); !errors.Is(err, ErrDamaged) {
			t.Errorf("Parse with byte %d flipped: error %v", i, err)
		}
	}
	for n := range b {
		if _, _, err := Parse(b[:n], seed); !errors.Is(err, ErrDamaged) {
			t.Errorf("Parse of the first %d bytes: error %v", n, err)
		}
	}
	if _, _, err := Parse(b, seed+1); !errors.Is(err, ErrDamaged) {
		t.Errorf("Parse with another seed: error %v", err)
	}
	if size, ok := SizeOf(b[:HeadSize], seed); !ok || size != int64(len(b)) {
		t.Errorf("SizeOf = %d, %v, want %d", size, ok, len(b))
	}
}

// file returns records of kinds 1 to n with bodies of size bytes, and where each begins.
func file(n, size int) (b []byte, begins []int) {
	for i := 1; i <= n; i++ {
		begins = append(begins, len(b))
		b = Append(b, seed, byte(i), fmt.Append(nil, "meta", i), bytes.Repeat([]byte{byte(i)}, size))
	}
	return b, append(begins, len(b))
}

func scan(b []byte) (kinds []int, s *Scanner) {
	s = NewScanner(bytes.NewReader(b), 0, int64(len(b)), seed)
	for s.Next() {
		kinds = append(kinds, int(s.Record().Kind))
	}
	return kinds, s
}

// TestScanDamage is the table of what a scan must find when something is wrong with a file of five records.
func TestScanDamage(t *testing.T) {
	whole, at := file(5, 1000)
	forged := Append(nil, seed+1, 7, nil, []byte("a record of another file"))
	region := func(from, to int) []Region { return []Region{{int64(from), int64(to)}} }
	tests := []struct {
		name   string
		damage func(b []byte) []byte
		kinds  []int
		region []Region
	}{
		{"none", func(b []byte) []byte { return b }, []int{1, 2, 3, 4, 5}, nil},
		{"empty", func([]byte) []byte { return nil }, nil, nil},
		{"zeros behind", func(b []byte) []byte { return append(b, make([]byte, 300_000)...) }, []int{1, 2, 3, 4, 5}, nil},
		{"only zeros", func([]byte) []byte { return make([]byte, 300_000) }, nil, nil},
		{"head of the first", flip(at[0] + 2), []int{2, 3, 4, 5}, region(at[0], at[1])},
		{"head of the third", flip(at[2] + 9), []int{1, 2, 4, 5}, region(at[2], at[3])},
		{"meta of the third", flip(at[2] + HeadSize), []int{1, 2, 4, 5}, region(at[2], at[3])},
		{"head of the last", flip(at[4]), []int{1, 2, 3, 4}, region(at[4], at[5])},
		{"body, which is read on demand", flip(at[3] - 1), []int{1, 2, 3, 4, 5}, nil},
		{"cut in a body", func(b []byte) []byte { return b[:at[4]+500] }, []int{1, 2, 3, 4}, region(at[4], at[4]+500)},
		{"cut in a head", func(b []byte) []byte { return b[:at[4]+7] }, []int{1, 2, 3, 4}, region(at[4], at[4]+7)},
		{"cut between", func(b []byte) []byte { return b[:at[4]] }, []int{1, 2, 3, 4}, nil},
		{"a hole", func(b []byte) []byte { clear(b[at[1]+5 : at[2]+5]); return b }, []int{1, 4, 5}, region(at[1], at[3])},
		{"a byte put in", func(b []byte) []byte { return slices.Insert(b, at[2], 0xff) }, []int{1, 2, 3, 4, 5}, region(at[2], at[2]+1)},
		{"a part taken out", func(b []byte) []byte { return slices.Delete(b, at[1]+100, at[2]+200) }, []int{1, 2, 4, 5}, region(at[1]+HeadSize+5, at[3]-(at[2]-at[1])-100)},
		{"a record of another file in the gap", func(b []byte) []byte { copy(b[at[2]:], forged); return b }, []int{1, 2, 4, 5}, region(at[2], at[3])},
		{"garbage behind", func(b []byte) []byte { return append(b, "garbage, but long enough for a head"...) }, []int{1, 2, 3, 4, 5}, region(at[5], at[5]+35)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kinds, s := scan(tt.damage(slices.Clone(whole)))
			if s.Err() != nil {
				t.Fatalf("Err = %v", s.Err())
			}
			if !slices.Equal(kinds, tt.kinds) {
				t.Errorf("found %v, want %v", kinds, tt.kinds)
			}
			if !slices.Equal(s.Damage(), tt.region) {
				t.Errorf("damage %v, want %v", s.Damage(), tt.region)
			}
		})
	}
}

func flip(i int) func([]byte) []byte {
	return func(b []byte) []byte { b[i] ^= 0x40; return b }
}

// TestScanBody reads bodies larger than the window.
func TestScanBody(t *testing.T) {
	b, at := file(3, 2*windowSize+17)
	b[at[2]-1] ^= 1
	s := NewScanner(bytes.NewReader(b), 0, int64(len(b)), seed)
	for i := 1; s.Next(); i++ {
		sound := i != 2
		if s.CheckBody() != sound {
			t.Errorf("CheckBody of record %d = %v", i, !sound)
		}
		body, err := s.Body()
		if sound && (err != nil || body[0] != byte(i)) || !sound && !errors.Is(err, ErrDamaged) {
			t.Errorf("Body of record %d: %v", i, err)
		}
	}
	if s.End() != int64(len(b)) {
		t.Errorf("End = %d, want %d", s.End(), len(b))
	}
}

// TestScanReadError tells a disk that cannot be read from a file that ends.
func TestScanReadError(t *testing.T) {
	s := NewScanner(broken{}, 0, 1000, seed)
	if s.Next() || !errors.Is(s.Err(), io.ErrClosedPipe) {
		t.Errorf("Err = %v, want %v", s.Err(), io.ErrClosedPipe)
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

// TestScanNeverInvents scans files with random damage: whatever is found was written.
func TestScanNeverInvents(t *testing.T) {
	whole, at := file(20, 50)
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := slices.Clone(whole)
		for range 1 + r.IntN(8) {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		kinds, _ := scan(b)
		if !slices.IsSorted(kinds) {
			t.Fatalf("found %v", kinds)
		}
		for i := range 20 {
			sound := bytes.Equal(b[at[i]:at[i+1]], whole[at[i]:at[i+1]])
			if sound && !slices.Contains(kinds, i+1) {
				t.Fatalf("sound record %d not found in %v", i+1, kinds)
			}
		}
	}
}

func FuzzScanner(f *testing.F) {
	whole, _ := file(3, 20)
	f.Add(whole)
	f.Add(whole[5:])
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewScanner(bytes.NewReader(b), 0, int64(len(b)), seed)
		free := int64(0) // where the next record may begin
		for s.Next() {
			r := *s.Record()
			if r.Offset < free || r.End() > int64(len(b)) {
				t.Fatalf("record at %d to %d, behind %d of %d", r.Offset, r.End(), free, len(b))
			}
			_, err := s.Body()
			if (err == nil) != s.CheckBody() {
				t.Fatalf("Body: %v, but CheckBody says otherwise", err)
			}
			if free = r.End(); err != nil {
				free = r.BodyOffset()
			}
		}
	})
}
