package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"thump/broker/journal"
	"thump/internal/record"
	"thump/internal/vfs"
	"thump/internal/vfs/faulty"
)

// A segmentFile is a segment as a vandal sees it.
type segmentFile struct {
	name     string
	b        []byte
	messages []record.Record
	dones    []record.Record
}

// library writes messages 1 to 14, five to a segment, each confirmed by itself. Message 2 is done in the first
// segment, message 3 in the second.
func library(t *testing.T, killed bool) *faulty.FS {
	t.Helper()
	w := newWorld(t, journal.Options{SegmentSize: 1450})
	for id := range uint64(14) {
		must(t, w.confirm(w.append(200, 1)))
		switch id + 1 {
		case 3:
			w.done(1, 2)
		case 7:
			w.done(1, 3)
		}
	}
	if killed {
		disk := w.disk.Kill()
		_ = w.j.Close() // fails: its disk is gone
		return disk
	}
	w.close()
	return w.disk
}

func segmentFiles(t *testing.T, disk vfs.FS) (files []segmentFile) {
	t.Helper()
	for _, name := range segments(t, disk) {
		f := segmentFile{name: filepath.Join(dir, name)}
		var seq, seed uint32
		var base uint64
		_, err := fmt.Sscanf(name, "%08x-%016x-%08x.seg", &seq, &base, &seed)
		must(t, err)
		f.b, err = vfs.ReadFile(disk, f.name)
		must(t, err)
		scan := record.NewScanner(bytes.NewReader(f.b), 48, int64(len(f.b)), seed)
		for scan.Next() {
			r := *scan.Record()
			r.Meta = slices.Clone(r.Meta)
			switch r.Kind {
			case 1:
				f.messages = append(f.messages, r)
			case 3:
				f.dones = append(f.dones, r)
			}
		}
		files = append(files, f)
	}
	return files
}

func flip(b []byte, at int64) []byte {
	b[at] ^= 0x21
	return b
}

// TestCorruption is the table of what damage does and what must survive it.
func TestCorruption(t *testing.T) {
	type vandal func(f segmentFile) []byte
	const first, second, newest = 0, 1, 2
	tests := []struct {
		name       string
		killed     bool // before; else the journal was closed
		file       int
		damage     vandal
		lost       []uint64
		back       []uint64 // messages that were done
		unreadable []uint64
		damaged    uint64 // regions reported
		torn       uint64
	}{
		{name: "nothing", damage: func(f segmentFile) []byte { return f.b }},
		{name: "nothing, killed", killed: true, damage: func(f segmentFile) []byte { return f.b }},
		{name: "header of a sealed segment", damaged: 1,
			damage: func(f segmentFile) []byte { return flip(f.b, 20) }},
		{name: "header of the newest, closed", file: newest, damaged: 1,
			damage: func(f segmentFile) []byte { clear(f.b[:48]); return f.b }},
		{name: "header of the newest, killed: later batches say that it was synced", killed: true, file: newest, damaged: 1,
			damage: func(f segmentFile) []byte { clear(f.b[:48]); return f.b }},
		{name: "head of a message", lost: []uint64{4}, damaged: 1,
			damage: func(f segmentFile) []byte { return flip(f.b, f.messages[3].Offset+9) }},
		{name: "meta of a message", lost: []uint64{1}, damaged: 1,
			damage: func(f segmentFile) []byte { return flip(f.b, f.messages[0].Offset+record.HeadSize) }},
		{name: "body of a message in a sealed segment: found when it is read", unreadable: []uint64{8}, file: second,
			damage: func(f segmentFile) []byte { return flip(f.b, f.messages[2].BodyOffset()+5) }},
		{name: "a hole", lost: []uint64{6, 7}, file: second, damaged: 1,
			damage: func(f segmentFile) []byte { clear(f.b[f.messages[0].Offset+10 : f.messages[1].End()-10]); return f.b }},
		{name: "a sector of garbage", lost: []uint64{7, 8, 9}, back: []uint64{3}, file: second, damaged: 1,
			damage: func(f segmentFile) []byte {
				copy(f.b[f.messages[1].Offset+10:f.messages[3].Offset+10], bytes.Repeat([]byte("garbage"), 100))
				return f.b
			}},
		{name: "done record: its message is back", back: []uint64{2}, damaged: 1,
			damage: func(f segmentFile) []byte { return flip(f.b, f.dones[0].Offset+4) }},
		{name: "sealed segment cut short", lost: []uint64{4, 5}, damaged: 1,
			damage: func(f segmentFile) []byte { return f.b[:f.messages[3].Offset] }},
		{name: "sealed segment cut within a message", lost: []uint64{5}, damaged: 2,
			damage: func(f segmentFile) []byte { return f.b[:f.messages[4].Offset+100] }},
		{name: "sealed segment empty", file: second, lost: []uint64{6, 7, 8, 9, 10}, back: []uint64{3}, damaged: 1,
			damage: func(segmentFile) []byte { return nil }},
		{name: "sealed segment of zeros", file: first, lost: []uint64{1, 4, 5}, damaged: 1,
			damage: func(f segmentFile) []byte { clear(f.b); return f.b }},
		{name: "garbage behind a sealed segment", damaged: 1,
			damage: func(f segmentFile) []byte { return append(f.b, bytes.Repeat([]byte("x"), 1000)...) }},
		{name: "zeros behind a sealed segment",
			damage: func(f segmentFile) []byte { return append(f.b, make([]byte, 1000)...) }},
		{name: "a message from another segment in its place", lost: []uint64{7}, file: second, damaged: 1,
			damage: func(f segmentFile) []byte {
				r := f.messages[1]
				copy(f.b[r.Offset:], record.Append(nil, 12345, 1, r.Meta, f.b[r.BodyOffset():r.End()]))
				return f.b
			}},
		{name: "newest torn in its last message", killed: true, file: newest, lost: []uint64{14}, torn: 1,
			damage: func(f segmentFile) []byte { return f.b[:f.messages[3].End()-50] }},
		{name: "newest torn in a page of its last message", killed: true, file: newest, lost: []uint64{14}, torn: 1,
			damage: func(f segmentFile) []byte {
				clear(f.b[f.messages[3].BodyOffset()+10 : f.messages[3].End()-10])
				return f.b
			}},
		{name: "newest torn before its last message", killed: true, file: newest, lost: []uint64{14}, torn: 1,
			damage: func(f segmentFile) []byte { return flip(f.b, f.messages[3].Offset-10) }},
		{name: "newest damaged where later batches say that it was synced", killed: true, file: newest, lost: []uint64{13}, damaged: 1,
			damage: func(f segmentFile) []byte { return flip(f.b, f.messages[2].Offset+3) }},
		{name: "newest damaged in its last message, closed", file: newest, lost: []uint64{14}, damaged: 1,
			damage: func(f segmentFile) []byte { return flip(f.b, f.messages[3].Offset+3) }},
		{name: "garbage behind the newest, killed", killed: true, file: newest, torn: 1,
			damage: func(f segmentFile) []byte {
				return append(f.b[:f.messages[3].End()], bytes.Repeat([]byte("x"), 100)...)
			}},
		{name: "newest without a record, closed", file: newest, lost: []uint64{11, 12, 13, 14}, torn: 1,
			damage: func(f segmentFile) []byte { return append(f.b[:48], bytes.Repeat([]byte("x"), 1000)...) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			disk := library(t, tt.killed)
			f := segmentFiles(t, disk)[tt.file]
			must(t, vfs.WriteFile(disk, f.name, tt.damage(f)))
			want := slices.DeleteFunc([]uint64{1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, func(id uint64) bool { return slices.Contains(tt.lost, id) })
			want = append(want, tt.back...)
			slices.Sort(want)
			damaged := tt.damaged > 0
			for range 2 { // the second time nothing has changed, and a tear is gone
				if _, err := vfs.ReadFile(disk, f.name); err != nil {
					tt.damaged = 0 // nothing in it was of use: it is removed
				}
				j, err := journal.Open(dir, journal.Options{FS: disk})
				must(t, err)
				var got []uint64
				for _, e := range j.Recovered(1) {
					got = append(got, e.ID)
					_, body, err := j.Read(e.ID)
					if slices.Contains(tt.unreadable, e.ID) {
						if !errors.Is(err, journal.ErrDamaged) {
							t.Errorf("Read(%d): %v", e.ID, err)
						}
					} else if want := fmt.Sprintf("body %d.", e.ID-1); err != nil || !strings.HasPrefix(string(body), want) {
						t.Errorf("Read(%d) = %.40q, %v", e.ID, body, err)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("recovered %v, want %v", got, want)
				}
				if st := j.Stats(); st.Damaged != tt.damaged || st.Torn != tt.torn {
					t.Errorf("%d regions damaged, %d torn, want %d and %d", st.Damaged, st.Torn, tt.damaged, tt.torn)
				}
				_, err = vfs.ReadFile(disk, f.name+".corrupt")
				if aside := err == nil; aside != damaged {
					t.Errorf("set aside: %v", aside)
				}
				must(t, j.Close())
				tt.torn = 0
			}
			goOn(t, disk)
		})
	}
}

// goOn uses a journal after damage: new messages are not mixed up with old ones.
func goOn(t *testing.T, disk vfs.FS) {
	t.Helper()
	var id uint64
	for range 2 {
		j, err := journal.Open(dir, journal.Options{FS: disk})
		must(t, err)
		if id != 0 {
			if _, body, err := j.Read(id); err != nil || string(body) != "new" {
				t.Errorf("Read(%d) = %q, %v", id, body, err)
			}
		}
		id, err = j.Append([]uint64{1}, nil, []byte("new"))
		must(t, err)
		must(t, j.Close())
	}
}

// TestIDsSurviveDamage destroys what says which ids were given, in two ways: the messages, but not a done record that
// would kill a new one with the old id; and all but the name of the only segment left.
func TestIDsSurviveDamage(t *testing.T) {
	w := newWorld(t, journal.Options{SegmentSize: 1450})
	w.fill(10, 200, 1)
	w.done(1, w.live(1)...)
	must(t, w.confirm(w.append(200, 1)))
	w.fill(2, 200, 1)
	w.done(1, 13)
	eventually(t, "one segment is left", func() bool { return w.j.Stats().Segments == 1 })
	w.close()
	f := segmentFiles(t, w.disk)[0]
	whole := slices.Clone(f.b)
	for _, m := range f.messages {
		flip(f.b, m.Offset)
	}
	must(t, vfs.WriteFile(w.disk, f.name, f.b))
	w.open()
	if id := w.append(1, 1); id != 14 {
		t.Errorf("id %d, want 14", id)
	}
	w.close()
	disk := faulty.New()
	must(t, disk.MkdirAll(dir))
	must(t, vfs.WriteFile(disk, f.name, whole[:20]))
	w.disk = disk
	w.open()
	if id := w.append(1, 1); id != 11 {
		t.Errorf("id %d, want 11, which the segment's name says", id)
	}
	w.close()
}

// TestNewerVersion refuses a journal that it cannot understand, and leaves it as it is.
func TestNewerVersion(t *testing.T) {
	disk := library(t, false)
	name := filepath.Join(dir, "00000009-0000000000000100-00000000.seg")
	header := goldenHeader(9, 0x100, 0, 0)
	header[8] = 2
	sum(header)
	must(t, vfs.WriteFile(disk, name, header))
	if _, err := journal.Open(dir, journal.Options{FS: disk}); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("Open: %v", err)
	}
	if b, err := vfs.ReadFile(disk, name); err != nil || !bytes.Equal(b, header) {
		t.Errorf("the segment was changed: %v", err)
	}
}
