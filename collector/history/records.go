package history

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/prometheus/prometheus/tsdb/wlog"
)

// The log of the TSDB, as in its docs/format/wal.md: a record is cut into
// fragments at the ends of pages; a fragment has a header of a byte with its kind,
// two of length and four of checksum.
const (
	page       = 32 << 10
	header     = 7
	kinds      = 7 // mask
	kindFull   = 1
	kindMiddle = 3
	kindLast   = 4
)

type records struct {
	list     [][]byte
	afterBad int // how many of them are behind the first bad place
}

// readable are the records of a segment that can be read, and the number of
// places where some cannot. Behind a bad one it goes on in the next page.
func readable(b []byte) (found records, bad int) {
	if rest := len(b) % page; rest != 0 { // the TSDB reads a cut page as if zeros followed
		b = append(b, make([]byte, page-rest)...)
	}
	for off := 0; off < len(b); {
		skip := resume(b[off:])
		r := wlog.NewReader(bytes.NewReader(b[off:]))
		for n := 0; r.Next(); n++ {
			if n == 0 && skip {
				continue
			}
			found.list = append(found.list, bytes.Clone(r.Record()))
			if bad > 0 {
				found.afterBad++
			}
		}
		if r.Err() == nil {
			break
		}
		bad++
		off += (int(r.Offset())-1)/page*page + page
	}
	return found, bad
}

// resume makes a page readable from its beginning: the end of a record whose
// beginning cannot be read is overwritten with a record that means nothing. It
// tells whether there was one.
func resume(b []byte) bool {
	end := 0
	for end+header <= page {
		kind := b[end] & kinds
		if kind != kindMiddle && kind != kindLast {
			break
		}
		end += header + int(binary.BigEndian.Uint16(b[end+1:]))
	}
	if end == 0 || end > page {
		return false
	}
	b[0] = kindFull
	binary.BigEndian.PutUint16(b[1:], uint16(end-header))
	binary.BigEndian.PutUint32(b[3:], crc32.Checksum(b[header:end], crc32.MakeTable(crc32.Castagnoli)))
	return true
}
