package journal

import (
	"errors"
	"fmt"

	"thump/internal/record"
)

// compactStep is how many bytes are copied before they are waited for: publishers
// get their turn, and memory stays small.
const compactStep = 256 << 10

// A compaction copies to the head of the log what is still needed of a sealed segment.
// It is owned by the reclaimer.
type compaction struct {
	j       *Journal
	from    *segment
	scan    *record.Scanner
	message messageMeta
	pending int64 // bytes copied and not waited for
	queues  []uint64
	ids     []uint64
	at      []uint32
}

// compact empties a segment, so that it can be removed.
func (j *Journal) compact(s *segment) error {
	c := &compaction{j: j, from: s, scan: record.NewScanner(s.file, headerSize, s.size, s.seed)}
	j.spread(s)
	for c.scan.Next() {
		if err := c.copyRecord(); err != nil {
			return err
		}
		if c.pending >= compactStep {
			if err := c.await(); err != nil {
				return err
			}
		}
	}
	if err := c.scan.Err(); err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	if err := c.moveNotes(); err != nil {
		return err
	}
	if err := c.await(); err != nil {
		return err
	}
	return c.finish()
}

// spread lets each of the segment's messages move by itself.
func (j *Journal) spread(s *segment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, p := range j.spans {
		if p.home == s {
			p.spread()
		}
	}
}

func (c *compaction) copyRecord() error {
	switch rec := c.scan.Record(); rec.Kind {
	case kindMessage, kindMoved:
		return c.copyMessage(rec)
	case kindDone:
		return c.copyDone(rec)
	}
	return nil
}

func (c *compaction) copyMessage(rec *record.Record) error {
	if !c.message.parse(rec.Meta, rec.BodyLen) || !c.needs(c.message.id, rec.Offset) {
		return nil
	}
	body, err := c.scan.Body()
	if errors.Is(err, record.ErrDamaged) {
		return nil // it is given up at the end
	} else if err != nil {
		return fmt.Errorf("read message %d: %w", c.message.id, err)
	}
	sum := record.Sum(body)
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.waitForRoom(); err != nil {
		return err
	}
	s, i := c.find(c.message.id, rec.Offset)
	if s == nil {
		return nil // it died meanwhile
	}
	c.queues = s.appendQueues(c.queues[:0], i)
	j.meta = appendMessageMeta(j.meta[:0], c.message.id, c.message.headerLen, c.queues)
	off := j.emit(kindMoved, j.meta, len(body), sum, body)
	j.relocate(s, i, c.from, off)
	c.pending += j.head.size - off
	return nil
}

// relocate says that the newest copy of an entry is now at off of the head.
func (j *Journal) relocate(s *span, i int, from *segment, off int64) {
	from.records--
	from.live -= s.sizeOf(i)
	s.move(i, j.head.seq, uint32(off), uint32(j.head.size-off))
	j.head.records++
	j.head.live += s.sizeOf(i)
	j.head.shadows[from.seq] = true
	from.copied = j.filling.number
	j.stats.CompactedBytes += uint64(s.sizeOf(i))
}

func (c *compaction) needs(id uint64, off int64) bool {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	s, _ := c.find(id, off)
	return s != nil
}

// find returns the entry of a message that is alive and whose newest copy is at off of the segment.
func (c *compaction) find(id uint64, off int64) (*span, int) {
	s, i := c.j.spans.find(id)
	if s == nil || !s.alive(i) || s.seqOf(i) != c.from.seq || int64(s.off[i]) != off {
		return nil, 0
	}
	return s, i
}

// copyDone copies a done record for those messages of which other segments hold a record.
func (c *compaction) copyDone(rec *record.Record) error {
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.waitForRoom(); err != nil {
		return err
	}
	var queue uint64
	c.ids, c.at = c.ids[:0], c.at[:0]
	parseDone(rec.Meta, func(q, id uint64) {
		queue = q
		if s, i := j.spans.find(id); s != nil && s.seqOf(i) != c.from.seq {
			c.ids, c.at = append(c.ids, id), append(c.at, s.seqOf(i))
		}
	})
	if len(c.ids) > 0 {
		j.emitDone(queue, c.ids, c.at)
		c.from.copied = j.filling.number
	}
	return nil
}

// await returns when all that was copied is durable.
func (c *compaction) await() error {
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	c.pending = 0
	number := j.filling.number
	if len(j.filling.chunks) == 0 {
		number--
	} else {
		j.urge()
	}
	for j.stored < number {
		if err := j.refuse(); err != nil {
			return err
		}
		j.changed.Wait()
	}
	return nil
}

// finish ends a compaction: all that was needed and is sound is now durable elsewhere. Messages
// that are left cannot be read; they are given up, and the segment is set aside for whoever wants to look at it.
func (c *compaction) finish() error {
	j := c.j
	j.mu.Lock()
	left := c.from.records
	j.mu.Unlock()
	if left > 0 {
		if err := j.setAside(c.from); err != nil {
			return err
		}
		j.o.Logger.Error("messages lost in a damaged journal segment", "file", c.from.name(), "messages", left)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if left > 0 {
		j.giveUp(c.from)
	}
	clear(c.from.refs)
	j.stats.Compacted++
	return nil
}

// giveUp takes the segment's messages out of all their queues.
func (j *Journal) giveUp(seg *segment) {
	for _, s := range j.spans {
		for i := range s.off {
			if s.seqOf(i) == seg.seq && s.alive(i) {
				for _, q := range s.appendQueues(nil, i) {
					j.dropNote(place{q, s.id(i)})
				}
				s.mask[i] = 0
				delete(s.wide, i)
				j.bury(s, i)
			}
		}
	}
}
