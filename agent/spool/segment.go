package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"thump/internal/bus"
	"thump/internal/record"
	"thump/internal/vfs"
)

// Head of a segment, see FORMAT.md.
const (
	magic    = "THMPSPL"
	version  = 1
	headSize = 12
	suffix   = ".spool"
)

// Kinds of records.
const (
	kindBatch = 1
	kindDone  = 2
)

// state is what is to happen with a batch.
type state uint8

const (
	waiting state = iota
	taken
	done
)

// entry is one batch of a segment.
type entry struct {
	offset, size uint32
	state        state
}

// segment is one file of the spool. The spool's mutex guards it.
type segment struct {
	number  uint64
	path    string
	seed    uint32
	file    vfs.File
	size    int64   // what is written, and sound
	entries []entry // in order
	live    int     // entries that are not done
	waiting int
	first   int  // no entry before it waits
	sealed  bool // a sync failed: nothing more is written to it
}

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", number, suffix))
}

// segmentNumber tells which segment a file holds.
func segmentNumber(name string) (uint64, bool) {
	hex, ok := strings.CutSuffix(name, suffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(hex, 16, 64)
	return n, err == nil
}

// createSegment makes an empty segment that is there after a power cut.
func createSegment(fs vfs.FS, dir string, number uint64) (*segment, error) {
	g := &segment{number: number, path: segmentPath(dir, number), seed: rand.Uint32(), size: headSize}
	file, err := fs.Create(g.path)
	if err != nil {
		return nil, fmt.Errorf("create spool segment: %w", err)
	}
	g.file = file
	head := binary.LittleEndian.AppendUint32(append([]byte(magic), version), g.seed)
	if _, err := file.WriteAt(head, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("write spool segment: %w", err), g.remove(fs))
	}
	if err := errors.Join(file.Sync(), fs.SyncDir(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("sync spool segment: %w", err), g.remove(fs))
	}
	return g, nil
}

// errHead: a file has the name of a segment but does not begin like one.
var errHead = errors.New("not a spool segment")

// openSegment reads an existing segment; markDone is called for each done mark in it.
func openSegment(fs vfs.FS, dir string, number uint64, markDone func(Ref)) (g *segment, damage []record.Region, err error) {
	g = &segment{number: number, path: segmentPath(dir, number)}
	if g.file, err = fs.Open(g.path); err != nil {
		return nil, nil, fmt.Errorf("open spool segment: %w", err)
	}
	if err := g.readHead(); err != nil {
		return nil, nil, errors.Join(err, g.file.Close())
	}
	if damage, err = g.scan(markDone); err != nil {
		return nil, nil, errors.Join(err, g.file.Close())
	}
	return g, damage, nil
}

func (g *segment) readHead() error {
	var head [headSize]byte
	if n, err := g.file.ReadAt(head[:], 0); n < headSize || string(head[:len(magic)]) != magic {
		return fmt.Errorf("%s: %w", g.path, errors.Join(errHead, err))
	}
	if v := head[len(magic)]; v != version {
		return fmt.Errorf("%s has format version %d, this program knows %d", g.path, v, version)
	}
	g.seed = binary.LittleEndian.Uint32(head[len(magic)+1:])
	return nil
}

// scan finds the records, and cuts off what is torn at the end.
func (g *segment) scan(markDone func(Ref)) ([]record.Region, error) {
	size, err := g.file.Size()
	if err != nil {
		return nil, fmt.Errorf("read spool segment: %w", err)
	}
	sc := record.NewScanner(g.file, headSize, size, g.seed)
	for sc.Next() {
		switch r := sc.Record(); r.Kind {
		case kindBatch:
			g.entries = append(g.entries, entry{offset: uint32(r.Offset), size: uint32(r.Size())})
		case kindDone:
			if ref, ok := parseDone(r.Meta); ok {
				markDone(ref)
			}
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read spool segment: %w", err)
	}
	g.live, g.waiting, g.size = len(g.entries), len(g.entries), sc.End()
	if g.size < size {
		if err := g.file.Truncate(g.size); err != nil {
			return nil, fmt.Errorf("cut torn end of spool segment: %w", err)
		}
	}
	return sc.Damage(), nil
}

// append writes one record. After an error the segment is as before: what may be
// left of the record is overwritten by the next one, or cut at the next start.
func (g *segment) append(rec []byte) error {
	if _, err := g.file.WriteAt(rec, g.size); err != nil {
		_ = g.file.Truncate(g.size) // gives back the space, no more
		return fmt.Errorf("write spool segment: %w", err)
	}
	g.size += int64(len(rec))
	return nil
}

// read returns the batch of an entry.
func (g *segment) read(e entry) (*bus.Message, error) {
	b := make([]byte, e.size)
	if n, err := g.file.ReadAt(b, int64(e.offset)); n < len(b) {
		return nil, fmt.Errorf("read spool segment: %w", err)
	}
	r, body, err := record.Parse(b, g.seed)
	if err != nil {
		return nil, fmt.Errorf("read spool segment: %w", err)
	}
	m, err := parseProperties(r.Meta)
	if err != nil {
		return nil, err
	}
	m.Body = body
	return m, nil
}

// find returns the place of the entry at an offset.
func (g *segment) find(offset int64) (int, bool) {
	return slices.BinarySearchFunc(g.entries, offset, func(e entry, off int64) int { return int(int64(e.offset) - off) })
}

// set changes the state of an entry; done is for good.
func (g *segment) set(i int, to state) {
	e := &g.entries[i]
	if e.state == to || e.state == done {
		return
	}
	switch {
	case to == waiting:
		g.waiting++
		g.first = min(g.first, i)
	case e.state == waiting:
		g.waiting--
	}
	if to == done {
		g.live--
	}
	e.state = to
}

// next returns the first entry that waits; there is one.
func (g *segment) next() int {
	for g.entries[g.first].state != waiting {
		g.first++
	}
	return g.first
}

func (g *segment) remove(fs vfs.FS) error {
	return errors.Join(g.file.Close(), fs.Remove(g.path))
}
