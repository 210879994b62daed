package rollup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// encoding is what chunk files say of our chunks. Prometheus counts its own
// upwards from 1.
const encoding chunkenc.Encoding = 0x74

// version of the content of a chunk.
const version = 1

// maxWindows is how many windows a chunk has at most.
const maxWindows = 240

var errChunk = errors.New("malformed chunk of roll-ups")

// columns of a chunk, in the order in which they are stored.
const (
	counts = iota
	sums
	mins
	maxs
	firsts
	lasts
	resets
	numColumns
)

// chunk is up to maxWindows windows of one series, by columns, each an XOR chunk.
type chunk struct {
	bytes   []byte
	columns [numColumns][]byte
	err     error // what is wrong with bytes
}

// encode makes a chunk of windows.
func encode(windows []Window) (*chunk, error) {
	var w chunkWriter
	if err := w.open(); err != nil {
		return nil, err
	}
	for i := range windows {
		w.add(&windows[i])
	}
	b := []byte{version}
	for i, c := range w.columns {
		if same := w.sameAs(i); same >= 0 {
			b = binary.AppendUvarint(b, uint64(same)<<1|1)
			continue
		}
		content := c.Bytes()
		b = append(binary.AppendUvarint(b, uint64(len(content))<<1), content...)
	}
	c := newChunk(b)
	return c, c.err
}

// chunkWriter fills the columns.
type chunkWriter struct {
	columns   [numColumns]*chunkenc.XORChunk
	appenders [numColumns]chunkenc.Appender
}

func (w *chunkWriter) open() (err error) {
	for i := range w.columns {
		w.columns[i] = chunkenc.NewXORChunk()
		if w.appenders[i], err = w.columns[i].Appender(); err != nil {
			return fmt.Errorf("open chunk: %w", err)
		}
	}
	return nil
}

func (w *chunkWriter) add(win *Window) {
	if win.Count > 0 {
		w.appenders[counts].Append(0, win.End, float64(win.Count))
		w.appenders[sums].Append(0, win.End, win.Sum)
		w.appenders[mins].Append(0, win.End, win.Min)
		w.appenders[maxs].Append(0, win.End, win.Max)
		w.appenders[firsts].Append(0, win.First.Time, win.First.Value)
		w.appenders[lasts].Append(0, win.Last.Time, win.Last.Value)
	}
	if win.Resets != 0 {
		w.appenders[resets].Append(0, win.End, win.Resets)
	}
	if win.Stale != 0 {
		w.appenders[lasts].Append(0, win.Stale, math.Float64frombits(value.StaleNaN))
	}
}

// sameAs is an earlier column with the same content as column i, or -1. A series
// that does not change has many.
func (w *chunkWriter) sameAs(i int) int {
	for j := range i {
		if string(w.columns[j].Bytes()) == string(w.columns[i].Bytes()) {
			return j
		}
	}
	return -1
}

// newChunk reads a chunk; what is wrong with it is in its err.
func newChunk(b []byte) *chunk {
	c := &chunk{}
	c.Reset(b)
	return c
}

// Reset implements chunkenc.Chunk.
func (c *chunk) Reset(b []byte) {
	*c = chunk{bytes: b}
	if len(b) == 0 || b[0] != version {
		c.err = fmt.Errorf("%w: unknown version", errChunk)
		return
	}
	for i, rest := 0, b[1:]; i < numColumns; i++ {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			c.err = fmt.Errorf("%w: no length of column %d", errChunk, i)
			return
		}
		rest = rest[size:]
		switch {
		case n&1 == 1 && n>>1 < uint64(i):
			c.columns[i] = c.columns[n>>1]
		case n&1 == 0 && n>>1 >= 2 && n>>1 <= uint64(len(rest)): // two bytes are the number of samples
			c.columns[i], rest = rest[:n>>1], rest[n>>1:]
		default:
			c.err = fmt.Errorf("%w: bad length of column %d", errChunk, i)
			return
		}
	}
}

// Bytes implements chunkenc.Chunk.
func (c *chunk) Bytes() []byte { return c.bytes }

// Encoding implements chunkenc.Chunk.
func (c *chunk) Encoding() chunkenc.Encoding { return encoding }

// NumSamples implements chunkenc.Chunk; it is the number of windows with samples.
func (c *chunk) NumSamples() int {
	if c.err != nil {
		return 0
	}
	return c.column(counts).NumSamples()
}

// Compact implements chunkenc.Chunk.
func (c *chunk) Compact() {}

// Appender implements chunkenc.Chunk.
func (c *chunk) Appender() (chunkenc.Appender, error) {
	return nil, errors.New("a chunk of roll-ups takes nothing more")
}

// Iterator implements chunkenc.Chunk; it is over the last values.
func (c *chunk) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	return c.column(lasts).Iterator(it)
}

// column is one of the columns of a sound chunk.
func (c *chunk) column(i int) *chunkenc.XORChunk {
	x := chunkenc.NewXORChunk()
	x.Reset(c.columns[i])
	return x
}

// windows decodes the chunk; width is that of the windows.
func (c *chunk) windows(width int64) ([]Window, error) {
	if c.err != nil {
		return nil, c.err
	}
	d := decoder{width: width}
	for i := range d.columns {
		d.columns[i] = cursor{Iterator: c.column(i).Iterator(nil)}
		d.columns[i].advance()
	}
	var windows []Window
	for end, ok := d.next(); ok; end, ok = d.next() {
		if n := len(windows); n == maxWindows || n > 0 && windows[n-1].End >= end {
			return nil, fmt.Errorf("%w: windows are out of order", errChunk)
		}
		windows = append(windows, d.window(end))
	}
	return windows, d.err()
}

// decoder walks all columns at once.
type decoder struct {
	width   int64
	columns [numColumns]cursor
}

// cursor is an iterator with the sample at which it stands.
type cursor struct {
	chunkenc.Iterator
	point Point
	ended bool
}

func (c *cursor) advance() {
	if c.ended = c.Next() != chunkenc.ValFloat; !c.ended {
		c.point.Time, c.point.Value = c.At()
	}
}

// next is the end of the next window that has a last value or a mark.
func (d *decoder) next() (end int64, ok bool) {
	c := &d.columns[lasts]
	return endOf(c.point.Time, d.width), !c.ended
}

func (d *decoder) window(end int64) Window {
	w := Window{End: end}
	take := func(column int) Point {
		c := &d.columns[column]
		if c.ended || endOf(c.point.Time, d.width) != end {
			return Point{}
		}
		p := c.point
		c.advance()
		return p
	}
	w.Count = uint64(take(counts).Value)
	w.Sum, w.Min, w.Max = take(sums).Value, take(mins).Value, take(maxs).Value
	w.First, w.Resets = take(firsts), take(resets).Value
	p := take(lasts)
	if !value.IsStaleNaN(p.Value) {
		w.Last = p
		p = Point{}
		if c := &d.columns[lasts]; !c.ended && value.IsStaleNaN(c.point.Value) {
			p = take(lasts)
		}
	}
	w.Stale = p.Time
	return w
}

func (d *decoder) err() error {
	for i := range d.columns {
		if err := d.columns[i].Err(); err != nil {
			return fmt.Errorf("%w: column %d: %w", errChunk, i, err)
		}
	}
	return nil
}

// pool gives out chunks of roll-ups to the readers of blocks.
type pool struct{}

// Get implements chunkenc.Pool.
func (pool) Get(e chunkenc.Encoding, b []byte) (chunkenc.Chunk, error) {
	if e != encoding {
		return nil, fmt.Errorf("%w: encoding %d", errChunk, e)
	}
	c := newChunk(b)
	return c, c.err
}

// Put implements chunkenc.Pool.
func (pool) Put(chunkenc.Chunk) error { return nil }
