package record

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
)

// windowSize is how much of a file a Scanner holds, unless a meta is longer.
const windowSize = 128 << 10

// A Region is a range of bytes of a file that hold no record: To is the offset behind them.
type Region struct{ From, To int64 }

// A Scanner finds the records of a file in order. Where something else than a record
// stands it goes on at the next record that is whole, body included, and remembers the
// region between. Bodies are otherwise read only on demand. It holds a small window of the file in memory.
type Scanner struct {
	// static after construction
	r    io.ReaderAt
	size int64
	seed uint32

	// owned by the caller of Next
	next    int64 // offset of the next record
	record  Record
	damage  []Region
	err     error
	window  []byte
	windowN int64 // offset of window[0]
}

// NewScanner returns a scanner of the records from offset from to offset size of r.
func NewScanner(r io.ReaderAt, from, size int64, seed uint32) *Scanner {
	return &Scanner{r: r, size: size, seed: seed, next: from}
}

// Next moves to the next record. It returns false at the end: size, or a place behind
// which only zeros follow, or an error.
func (s *Scanner) Next() bool {
	if s.err != nil || s.next >= s.size {
		return false
	}
	if s.at(s.next) {
		s.next = s.record.End()
		return true
	}
	if s.err != nil || s.blank(s.next) {
		return false
	}
	return s.resync()
}

// Record returns the record that Next found; its Meta is valid until the next call of
// Next or CheckBody.
func (s *Scanner) Record() *Record { return &s.record }

// Body reads the record's body. The error is ErrDamaged if it is not what was written.
func (s *Scanner) Body() ([]byte, error) {
	body := make([]byte, s.record.BodyLen)
	if n, err := s.r.ReadAt(body, s.record.BodyOffset()); n < len(body) {
		return nil, err
	}
	if Sum(body) != s.record.bodySum {
		return nil, ErrDamaged
	}
	return body, nil
}

// CheckBody reads the record's body in small parts and tells whether it is what was written.
func (s *Scanner) CheckBody() bool {
	return s.sumOf(s.record.BodyOffset(), int64(s.record.BodyLen)) == s.record.bodySum && s.err == nil
}

// End returns the offset behind the last record found so far.
func (s *Scanner) End() int64 { return s.next }

// Damage returns the regions found so far that hold neither a record nor only
// zeros up to the end. If nothing valid follows the last one, its To is the file's size
// and its From is End.
func (s *Scanner) Damage() []Region { return s.damage }

// Err returns the error of reading the file that ended the scan.
func (s *Scanner) Err() error { return s.err }

// at tells whether head and meta of a record that ends within the file stand at offset off.
func (s *Scanner) at(off int64) bool {
	h, ok := parseHead(s.view(off, HeadSize), s.seed)
	if !ok || h.size() > s.size-off {
		return false
	}
	b := s.view(off, HeadSize+h.metaLen)
	if b == nil || Sum(b[HeadSize:]) != h.metaSum {
		return false
	}
	s.record = Record{Offset: off, Kind: h.kind, Meta: b[HeadSize:], BodyLen: int(h.bodyLen), bodySum: h.bodySum}
	return true
}

// resync looks at every offset for the next whole record. It begins behind the last
// record, or within it if its body is not what was written: bytes may be missing there.
func (s *Scanner) resync() bool {
	bad := s.next
	if s.record.Kind != 0 && !s.CheckBody() {
		bad = s.record.BodyOffset()
	}
	for off := bad; off+HeadSize <= s.size && s.err == nil; off++ {
		if s.at(off) && s.CheckBody() && s.at(off) { // the second time for the meta that CheckBody moved out of view
			s.damage = append(s.damage, Region{bad, off})
			s.next = s.record.End()
			return true
		}
	}
	s.damage = append(s.damage, Region{bad, s.size})
	return false
}

// blank tells whether only zeros follow.
func (s *Scanner) blank(off int64) bool {
	for off < s.size {
		b := s.view(off, 1)
		if b == nil || !zero(s.window[off-s.windowN:]) {
			return false
		}
		off = s.windowN + int64(len(s.window))
	}
	return true
}

func zero(b []byte) bool { return b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1]) }

func (s *Scanner) sumOf(off, n int64) uint32 {
	var sum uint32
	for n > 0 {
		if s.view(off, 1) == nil {
			return 0
		}
		b := s.window[off-s.windowN:]
		b = b[:min(n, int64(len(b)))]
		sum = crc32.Update(sum, castagnoli, b)
		off, n = off+int64(len(b)), n-int64(len(b))
	}
	return sum
}

// view returns n bytes at offset off, nil if the file does not have them.
func (s *Scanner) view(off int64, n int) []byte {
	if off+int64(n) > s.size {
		return nil
	}
	if off < s.windowN || off+int64(n) > s.windowN+int64(len(s.window)) {
		if s.load(off, max(n, windowSize)); s.err != nil {
			return nil
		}
	}
	i := off - s.windowN
	return s.window[i : i+int64(n) : i+int64(n)]
}

func (s *Scanner) load(off int64, n int) {
	n = int(min(int64(n), s.size-off))
	if cap(s.window) < n {
		s.window = make([]byte, n)
	}
	s.window, s.windowN = s.window[:n], off
	got, err := s.r.ReadAt(s.window, off)
	if got == n {
		return
	}
	s.window = s.window[:0]
	if s.err = err; errors.Is(err, io.EOF) || err == nil {
		s.err = io.ErrUnexpectedEOF
	}
}
