package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/wlog"

	"thump/collector/history/rollup"
)

// A Part is a block or a segment of a log that was read.
type Part struct {
	Name   string // path within the folder
	About  string // what is in it
	Faults []error
}

// Verify reads every block, roll-up and segment of a log in a folder of history,
// or in a backup of one, and tells of each. Nobody should write to it meanwhile.
func Verify(ctx context.Context, dir string, tell func(Part)) error {
	found := 0
	counted := func(p Part) { found++; tell(p) }
	for _, shelf := range append([]string{""}, shelfNames...) {
		if err := verifyBlocks(ctx, dir, shelf, counted); err != nil {
			return err
		}
	}
	if err := verifyLogs(dir, counted); err != nil {
		return err
	}
	if found == 0 {
		return fmt.Errorf("%s holds no history: neither blocks nor a log", dir)
	}
	return nil
}

// verifyBlocks reads the blocks of a shelf, or those of samples if it is "".
func verifyBlocks(ctx context.Context, dir, shelf string, tell func(Part)) error {
	entries, err := os.ReadDir(filepath.Join(dir, shelf))
	if errors.Is(err, os.ErrNotExist) && shelf != "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify history: %w", err)
	}
	for _, e := range entries {
		if _, err := ulid.ParseStrict(e.Name()); err != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		p := Part{Name: filepath.Join(shelf, e.Name())}
		if err := p.readBlock(ctx, filepath.Join(dir, p.Name), shelf); err != nil {
			p.fault(err)
		}
		tell(p)
	}
	return nil
}

func (p *Part) fault(err error) { p.Faults = append(p.Faults, err) }

func (p *Part) readBlock(ctx context.Context, dir, shelf string) (err error) {
	open := rollup.OpenBlock
	if shelf == "" {
		open = func(dir string, log *slog.Logger) (*tsdb.Block, error) {
			return tsdb.OpenBlock(log, dir, nil, tsdb.DefaultPostingsDecoderFactory)
		}
	}
	b, err := open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	of, n := "samples", 0
	if shelf == "" {
		n, err = p.readSamples(ctx, b)
	} else {
		of = "windows"
		n, err = rollup.Check(ctx, b, widths[shelf], p.fault)
	}
	p.About = fmt.Sprintf("%d %s of %d series, %s", n, of, b.Meta().Stats.NumSeries, timesOf(dir))
	return err
}

// widths of the shelves.
var widths = map[string]time.Duration{shelfNames[0]: shelfOptions(0).Width, shelfNames[1]: shelfOptions(1).Width}

// readSamples reads every sample of a block.
func (p *Part) readSamples(ctx context.Context, b *tsdb.Block) (n int, err error) {
	q, err := tsdb.NewBlockQuerier(b, b.MinTime(), b.MaxTime())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	set := q.Select(ctx, true, &storage.SelectHints{Start: b.MinTime(), End: b.MaxTime()},
		labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*"))
	var it chunkenc.Iterator
	for set.Next() {
		it = set.At().Iterator(it)
		for it.Next() != chunkenc.ValNone {
			n++
		}
		if it.Err() != nil {
			p.fault(fmt.Errorf("series %s: %w", set.At().Labels(), it.Err()))
		}
	}
	return n, set.Err()
}

// verifyLogs reads the records of all logs.
func verifyLogs(dir string, tell func(Part)) error {
	checkpoints, err := filepath.Glob(filepath.Join(dir, "wal", "checkpoint.[0-9]*"))
	if err != nil {
		return err
	}
	for _, log := range append(checkpoints, filepath.Join(dir, "wal"), filepath.Join(dir, wlog.WblDirName)) {
		first, last, err := wlog.Segments(log)
		if errors.Is(err, os.ErrNotExist) || err == nil && last < 0 {
			continue
		}
		if err != nil {
			return fmt.Errorf("verify history: %w", err)
		}
		for i := first; i <= last; i++ {
			name := wlog.SegmentName(log, i)
			rel, err := filepath.Rel(dir, name)
			if err != nil {
				return err
			}
			p := Part{Name: rel, About: "log"}
			if err := checkSegment(name); err != nil {
				p.fault(err)
			}
			tell(p)
		}
	}
	return nil
}

// Copy copies a folder, such as a snapshot, to one that must not exist yet or be
// empty. What is at the destination under its own name is complete and on stable
// storage.
func Copy(from, to string) error {
	if err := Vacant(to); err != nil {
		return err
	}
	tmp := filepath.Clean(to) + ".unfinished"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := copyTree(from, tmp); err != nil {
		return errors.Join(fmt.Errorf("copy %s to %s: %w", from, to, err), os.RemoveAll(tmp))
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(tmp, to)
}

// Vacant says why history cannot be put into a folder.
func Vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty (it holds %s); name a new folder or move it away", dir, entries[0].Name())
	}
	return nil
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		return copyFile(path, filepath.Join(to, rel))
	})
}
