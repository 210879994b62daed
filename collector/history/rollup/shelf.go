package rollup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// A Shelf holds the windows of one width. Its methods may be called from any
// goroutine; those that change it exclude each other.
type Shelf struct {
	// Static after construction.
	dir    string
	width  int64   // of a window, milliseconds
	spans  []int64 // of blocks, milliseconds: as they are made, and as they are joined later
	log    *slog.Logger
	aside  func(dir string, cause error) error
	failed func()

	changing sync.Mutex // held while blocks are written or removed

	// Guarded by mu.
	mu     sync.RWMutex
	blocks []*tsdb.Block // by time, without overlaps
	done   int64         // up to where this process has rolled up; behind the last block there was nothing
}

// Options of a shelf.
type Options struct {
	Width  time.Duration
	Spans  []time.Duration // time that a block covers, from the first to the longest
	Logger *slog.Logger
	// SetAside moves a block that cannot be opened out of the way.
	SetAside func(dir string, cause error) error
	// Unreadable is told of each series that could not be read.
	Unreadable func()
}

// Open opens the blocks in dir. What a kill left unfinished is removed, and so
// are blocks that others have replaced.
func Open(dir string, o Options) (*Shelf, error) {
	s := &Shelf{dir: dir, width: o.Width.Milliseconds(), log: o.Logger, aside: o.SetAside, failed: o.Unreadable}
	for _, span := range o.Spans {
		s.spans = append(s.spans, span.Milliseconds())
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of roll-ups: %w", err)
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open roll-ups in %s: %w", dir, err), s.Close())
	}
	return s, nil
}

func (s *Shelf) open() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	replaced := map[ulid.ULID]bool{}
	for _, e := range entries {
		dir := filepath.Join(s.dir, e.Name())
		if strings.HasSuffix(e.Name(), unfinished) || strings.HasSuffix(e.Name(), discarded) {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			continue
		}
		if _, err := ulid.ParseStrict(e.Name()); err != nil {
			continue
		}
		b, err := OpenBlock(dir, s.log)
		if err != nil {
			if err := s.aside(dir, err); err != nil {
				return err
			}
			continue
		}
		s.blocks = append(s.blocks, b)
		for _, p := range b.Meta().Compaction.Parents {
			replaced[p.ULID] = true
		}
	}
	sortBlocks(s.blocks)
	return s.drop(func(b *tsdb.Block) bool { return replaced[b.Meta().ULID] })
}

// OpenBlock opens one block of roll-ups.
func OpenBlock(dir string, log *slog.Logger) (*tsdb.Block, error) {
	return tsdb.OpenBlock(log, dir, pool{}, tsdb.DefaultPostingsDecoderFactory)
}

func sortBlocks(blocks []*tsdb.Block) {
	slices.SortFunc(blocks, func(a, b *tsdb.Block) int { return cmp.Compare(a.MinTime(), b.MinTime()) })
}

// drop removes blocks.
func (s *Shelf) drop(which func(*tsdb.Block) bool) error { return s.exchange(nil, which) }

// exchange shows a block, if there is one, in place of others, and removes those
// once the queries that read them have ended.
func (s *Shelf) exchange(b *tsdb.Block, which func(*tsdb.Block) bool) error {
	s.mu.Lock()
	var out, left []*tsdb.Block
	for _, old := range s.blocks {
		if which(old) {
			out = append(out, old)
		} else {
			left = append(left, old)
		}
	}
	if b != nil {
		left = append(left, b)
		sortBlocks(left)
	}
	s.blocks = left
	s.mu.Unlock()
	var errs []error
	for _, old := range out {
		errs = append(errs, old.Close(), discard(old.Dir()))
	}
	return errors.Join(errs...)
}

// discard removes a folder such that a kill leaves nothing that looks like a block.
func discard(dir string) error {
	if err := os.Rename(dir, dir+discarded); err != nil {
		return fmt.Errorf("discard a block: %w", err)
	}
	return os.RemoveAll(dir + discarded)
}

// Close waits for those who read.
func (s *Shelf) Close() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	blocks := s.blocks
	s.blocks = nil
	s.mu.Unlock()
	var errs []error
	for _, b := range blocks {
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}

// Covered is the time of which the shelf has roll-ups: (from, to]. It is empty
// if there are none.
func (s *Shelf) Covered() (from, to int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.blocks) == 0 {
		return 0, 0
	}
	return s.blocks[0].MinTime() - 1, s.blocks[len(s.blocks)-1].MaxTime() - 1
}

// Done is up to where all is rolled up, Unix milliseconds.
func (s *Shelf) Done() int64 {
	_, to := s.Covered()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return max(to, s.done)
}

// Width is the time of one window in milliseconds.
func (s *Shelf) Width() int64 { return s.width }

// Size is how many bytes the blocks take.
func (s *Shelf) Size() (n int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, b := range s.blocks {
		n += b.Size()
	}
	return n
}

// Metas describes the blocks, the oldest first.
func (s *Shelf) Metas() (metas []tsdb.BlockMeta) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, b := range s.blocks {
		metas = append(metas, b.Meta())
	}
	return metas
}

// Querier reads a column of the windows that end in (from, to].
func (s *Shelf) Querier(column Column, from, to int64) (storage.Querier, error) {
	var qs []storage.Querier
	err := s.each(from, to, func(b *tsdb.Block) error {
		q, err := tsdb.NewBlockQuerier(reader{b, column, s.width}, from+1, to)
		if err == nil {
			qs = append(qs, q)
		}
		return err
	})
	q := storage.NewMergeQuerier(qs, nil, storage.ChainedSeriesMerge)
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}

// chunkQuerier reads the chunks of the blocks within (from, to].
func (s *Shelf) chunkQuerier(from, to int64) (storage.ChunkQuerier, error) {
	var qs []storage.ChunkQuerier
	err := s.each(from, to, func(b *tsdb.Block) error {
		q, err := tsdb.NewBlockChunkQuerier(b, b.MinTime(), b.MaxTime())
		if err == nil {
			qs = append(qs, q)
		}
		return err
	})
	q := storage.NewMergeChunkQuerier(qs, nil, storage.NewConcatenatingChunkSeriesMerger())
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}

// each visits the blocks that touch (from, to] while they cannot go away.
func (s *Shelf) each(from, to int64, visit func(*tsdb.Block) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, b := range s.blocks {
		if b.OverlapsClosedInterval(from+1, to) {
			if err := visit(b); err != nil {
				return fmt.Errorf("read roll-ups of block %s: %w", b, err)
			}
		}
	}
	return nil
}

// Retain removes the blocks that end at or before oldest, and then the oldest
// ones as long as all take more than size bytes, if size is not 0. Blocks that
// end behind kept stay.
func (s *Shelf) Retain(oldest, size, kept int64) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	left := s.Size()
	return s.drop(func(b *tsdb.Block) bool {
		if b.MaxTime()-1 > kept || b.MaxTime()-1 > oldest && (size == 0 || left <= size) {
			return false
		}
		left -= b.Size()
		s.log.Info("block of roll-ups is beyond retention", "dir", b.Dir(), "until", time.UnixMilli(b.MaxTime()-1).UTC())
		return true
	})
}

// Delete removes the windows that touch [mint, maxt] of the series that match.
// The blocks that hold some are written anew.
func (s *Shelf) Delete(ctx context.Context, mint, maxt int64, ms ...*labels.Matcher) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, meta := range s.Metas() {
		if meta.MinTime > maxt || meta.MaxTime <= mint {
			continue
		}
		from, to := meta.MinTime-1, meta.MaxTime-1
		if held, err := s.holds(ctx, from, to, ms); err != nil || !held {
			if err != nil {
				return err
			}
			continue
		}
		q, err := s.chunkQuerier(from, to)
		if err != nil {
			return err
		}
		src := &without{openNarrower(ctx, q, s.width, s.width), mint, maxt, s.width, ms}
		if err := s.write(ctx, src, from, to, []tsdb.BlockMeta{meta}); err != nil {
			return fmt.Errorf("delete from roll-ups: %w", err)
		}
	}
	return nil
}

// Snapshot links all blocks into dir.
func (s *Shelf) Snapshot(dir string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder of a snapshot: %w", err)
	}
	return s.each(math.MinInt64, math.MaxInt64, func(b *tsdb.Block) error { return b.Snapshot(dir) })
}

// holds tells whether there is a series that matches.
func (s *Shelf) holds(ctx context.Context, from, to int64, ms []*labels.Matcher) (held bool, err error) {
	q, err := s.Querier(Last, from, to)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	set := q.Select(ctx, false, nil, ms...)
	return set.Next(), set.Err()
}

// errUnreadable: a block of roll-ups holds what cannot be read. It stays as it is.
var errUnreadable = errors.New("unreadable roll-ups")

// write makes a block for (from, to] of a source, which it closes, in place of
// parents. s.changing is held.
func (s *Shelf) write(ctx context.Context, src source, from, to int64, parents []tsdb.BlockMeta) (err error) {
	w, err := s.fill(ctx, src, from, to, parents)
	if err = errors.Join(err, src.close()); err != nil {
		if w != nil {
			err = errors.Join(err, w.abandon())
		}
		return err
	}
	replaced := func(b *tsdb.Block) bool {
		return slices.ContainsFunc(parents, func(p tsdb.BlockMeta) bool { return p.ULID == b.Meta().ULID })
	}
	if w.series == 0 {
		return errors.Join(w.abandon(), s.drop(replaced))
	}
	if err := w.commit(s.log); err != nil {
		return err
	}
	b, err := OpenBlock(filepath.Join(s.dir, w.meta.ULID.String()), s.log)
	if err != nil {
		return fmt.Errorf("open what was written: %w", err)
	}
	return s.exchange(b, replaced)
}

func (s *Shelf) fill(ctx context.Context, src source, from, to int64, parents []tsdb.BlockMeta) (*blockWriter, error) {
	symbols, err := src.symbols(ctx)
	if err != nil {
		return nil, err
	}
	w, err := newBlockWriter(ctx, s.dir, from, to, parents, symbols)
	if err != nil {
		return nil, err
	}
	return w, copyTo(ctx, w, src, s.width, func(ls labels.Labels, err error) error {
		if len(parents) > 0 { // they are all that is left: nothing takes their place but the whole of them
			return fmt.Errorf("%w: series %s: %w", errUnreadable, ls, err)
		}
		s.failed()
		s.log.Error("series cannot be rolled up", "series", ls.String(), "until", time.UnixMilli(to).UTC(), "err", err)
		return nil
	})
}
