package rollup

import (
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

// A Column says what of the windows a query reads as samples.
type Column int

const (
	Last  Column = iota // the last sample, and the mark that the series has ended
	Min                 // at the end of each window, as are the next three
	Max                 //
	Sum                 //
	Count               //
	// Held is Last, with each sample held until the next one comes, for moments
	// that do not fall on the ends of windows.
	Held
	// Edges are the first and last sample of each window, and between them how
	// deep a counter fell: all that rate and increase need.
	Edges
)

var stored = map[Column]int{Last: lasts, Min: mins, Max: maxs, Sum: sums, Count: counts}

// reader shows one column of a block as if the block held nothing else.
type reader struct {
	*tsdb.Block
	column Column
	width  int64
}

// Chunks implements tsdb.BlockReader.
func (r reader) Chunks() (tsdb.ChunkReader, error) {
	c, err := r.Block.Chunks()
	if err != nil {
		return nil, err
	}
	return columnChunks{c, r.column, r.width}, nil
}

type columnChunks struct {
	tsdb.ChunkReader
	column Column
	width  int64
}

// ChunkOrIterable implements tsdb.ChunkReader.
func (r columnChunks) ChunkOrIterable(meta chunks.Meta) (chunkenc.Chunk, chunkenc.Iterable, error) {
	c, _, err := r.ChunkReader.ChunkOrIterable(meta)
	if err != nil {
		return nil, nil, err
	}
	ours := c.(*chunk) // the pool gives no others
	if kept, ok := stored[r.column]; ok {
		return ours.column(kept), nil, nil
	}
	made, err := compose(ours, r)
	return made, nil, err
}

// compose makes the samples of a column that is not stored as such.
func compose(c *chunk, r columnChunks) (*chunkenc.XORChunk, error) {
	made := chunkenc.NewXORChunk()
	app, err := made.Appender()
	if err != nil {
		return nil, fmt.Errorf("compose column: %w", err)
	}
	windows, err := c.windows(r.width)
	if err != nil {
		return nil, err
	}
	for i := range windows {
		if r.column == Edges {
			windows[i].edges(app)
			continue
		}
		until := windows[i].End + r.width
		if i+1 < len(windows) && windows[i+1].Count > 0 {
			until = min(until, windows[i+1].Last.Time)
		}
		windows[i].held(app, until)
	}
	return made, nil
}

// edges gives the first sample; if the counter fell, the sum of the values from
// which it fell and then 0, which is one fall as deep as all of them; and the
// last sample.
func (w *Window) edges(app chunkenc.Appender) {
	if w.Count == 0 {
		return
	}
	f, l := w.First, w.Last
	app.Append(0, f.Time, f.Value)
	if w.Resets > 0 && l.Time-f.Time > 2 { // not of NaN
		app.Append(0, f.Time+1, w.Resets)
		app.Append(0, f.Time+2, 0)
	}
	if l.Time > f.Time {
		app.Append(0, l.Time, l.Value)
	}
}

// hold is how far apart held samples are: less than queries look back.
const hold = 4 * time.Minute

// held gives the last sample again and again until another comes, or the mark
// that the series has ended.
func (w *Window) held(app chunkenc.Appender, until int64) {
	if w.Stale != 0 {
		until = min(until, w.Stale)
	}
	if w.Count > 0 {
		for t := w.Last.Time; t == w.Last.Time || t < until; t += hold.Milliseconds() {
			app.Append(0, t, w.Last.Value)
		}
	}
	if w.Stale != 0 {
		app.Append(0, w.Stale, math.Float64frombits(value.StaleNaN))
	}
}
