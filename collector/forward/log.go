package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"

	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"

	"thump/internal/logging"
)

// follow reads the log from its oldest segment, for the series, and sends the
// samples from the position on. It ends with an error, or with ctx.
func (d *destination) follow(ctx context.Context) (err error) {
	if d.position, err = readPosition(d.deps.FS, d.file); err != nil {
		d.log.Error("position lost, all of the log is sent", "err", err)
	}
	d.series, d.checkpoint, d.wave = map[chunks.HeadSeriesRef]*series{}, -1, nil
	d.decoder = record.NewDecoder(nil, logging.Library(d.log))
	if err := d.learn(); err != nil {
		return err
	}
	first, last, err := wlog.Segments(d.dir())
	if err != nil {
		return fmt.Errorf("look for segments of the log: %w", err)
	}
	d.enter(first, last)
	for n := first; ctx.Err() == nil; n++ {
		if err := d.segment(ctx, n); err != nil {
			return fmt.Errorf("segment %d of the log: %w", n, err)
		}
		if err := d.learn(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (d *destination) dir() string { return filepath.Join(d.deps.Dir, "wal") }

// enter brings the position into the log as it is.
func (d *destination) enter(first, last int) {
	switch {
	case d.position.Segment > last:
		d.log.Warn("the log was begun anew, all of it is sent")
		d.position = position{Segment: first}
	case d.position == position{}: // of a new destination
		d.position = position{Segment: first}
	case d.position.Segment < first:
		d.lose(first - d.position.Segment)
		d.position = position{Segment: first}
	}
}

// lose counts segments that will never be sent.
func (d *destination) lose(n int) {
	d.metrics.lost.WithLabelValues(d.name).Add(float64(n))
	d.log.Error("part of the log is gone before it was sent", "segments", n)
}

// learn reads the series of the newest checkpoint, if there is a new one, and
// forgets those that ended before it.
func (d *destination) learn() error {
	dir, index, err := wlog.LastCheckpoint(d.dir())
	if errors.Is(err, record.ErrNotFound) || err == nil && index <= d.checkpoint {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a checkpoint of the log: %w", err)
	}
	r, err := wlog.NewSegmentsReader(dir)
	if err != nil {
		return fmt.Errorf("open checkpoint %s: %w", dir, err)
	}
	defer r.Close()
	records := wlog.NewReader(r)
	for records.Next() {
		if err := d.record(records.Record(), index, false); err != nil {
			return err
		}
	}
	if err := records.Err(); err != nil {
		return fmt.Errorf("read checkpoint %s: %w", dir, err)
	}
	d.checkpoint = index
	maps.DeleteFunc(d.series, func(_ chunks.HeadSeriesRef, s *series) bool { return s.segment < index })
	return nil
}

// segment reads one segment and sends what it brings; it returns once there is
// a later one and this one is at its end.
func (d *destination) segment(ctx context.Context, n int) error {
	file, err := wlog.OpenReadSegment(wlog.SegmentName(d.dir(), n))
	if err != nil {
		return err
	}
	defer file.Close()
	r := wlog.NewLiveReader(logging.Library(d.log), wlog.NewLiveReaderMetrics(nil), file)
	for records, ended := 0, false; ; {
		for r.Next() && ctx.Err() == nil {
			records++
			sends := n > d.position.Segment || n == d.position.Segment && records > d.position.Records
			if err := d.record(r.Record(), n, sends); err != nil {
				return err
			}
			if d.full() {
				if err := d.send(ctx, position{n, records}); err != nil {
					return err
				}
			}
		}
		torn := r.Err()
		if errors.Is(torn, io.EOF) {
			torn = nil
		}
		if err := d.send(ctx, position{n, records}); err != nil {
			return err
		}
		if ended || torn != nil {
			return d.leave(n, torn)
		}
		_, last, err := wlog.Segments(d.dir())
		if err != nil {
			return err
		}
		d.metrics.position.WithLabelValues(d.name).Set(float64(last - n))
		if ended = last > n; !ended { // else once more, for what came meanwhile
			pause(ctx, within(d.cfg.QueueConfig.BatchSendDeadline))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// leave goes on to the segment after n. What is torn in the newest one the TSDB
// may yet mend.
func (d *destination) leave(n int, torn error) error {
	if torn != nil {
		if _, last, err := wlog.Segments(d.dir()); err != nil || last == n {
			return errors.Join(torn, err)
		}
		d.log.Error("the rest of a segment cannot be read", "segment", n, "err", torn)
		d.lose(1)
	}
	if d.position.Segment > n {
		return nil // it was read for its series alone
	}
	return d.reach(position{Segment: n + 1})
}

// record takes one record; its samples only if they are to be sent.
func (d *destination) record(rec []byte, segment int, sends bool) error {
	switch d.decoder.Type(rec) {
	case record.Series:
		declared, err := d.decoder.Series(rec, nil)
		if err != nil {
			return fmt.Errorf("decode series: %w", err)
		}
		d.declare(declared, segment)
	case record.Samples, record.SamplesV2:
		if !sends {
			return nil
		}
		samples, err := d.decoder.Samples(rec, nil)
		if err != nil {
			return fmt.Errorf("decode samples: %w", err)
		}
		d.take(samples)
	}
	return nil
}
