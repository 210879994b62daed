package journal_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"thump/broker/journal"
	"thump/internal/record"
	"thump/internal/vfs"
	"thump/internal/vfs/faulty"
)

// goldenHeader writes a header as FORMAT.md draws it.
func goldenHeader(seq uint32, base uint64, seed uint32, before uint64) []byte {
	b := make([]byte, 48)
	copy(b, "thumpjnl")
	b[8] = 1
	binary.LittleEndian.PutUint32(b[12:], seed)
	binary.LittleEndian.PutUint32(b[16:], seq)
	binary.LittleEndian.PutUint64(b[24:], base)
	binary.LittleEndian.PutUint64(b[32:], before)
	sum(b)
	return b
}

func sum(header []byte) {
	binary.LittleEndian.PutUint32(header[40:], crc32.Checksum(header[:40], crc32.MakeTable(crc32.Castagnoli)))
}

const goldenName = "00000001-0000000000000001-00c0ffee.seg"

func golden() []byte {
	b := goldenHeader(1, 1, 0xc0ffee, 0)
	b = record.Append(b, 0xc0ffee, 1, []byte{1, 2, 1, 7}, []byte("hebody"))        // message 1, header "he", queue 7
	b = record.Append(b, 0xc0ffee, 1, []byte{2, 0, 2, 7, 0xac, 2}, []byte("body")) // message 2, queues 7 and 300
	b = record.Append(b, 0xc0ffee, 3, []byte{7, 2})                                // queue 7: 1
	b = record.Append(b, 0xc0ffee, 1, []byte{3, 0, 1, 8})                          // message 3, empty, queue 8
	b = record.Append(b, 0xc0ffee, 3, []byte{8, 6, 3})                             // queue 8: 3, then 3-2 = 1, of which it knows nothing
	return record.Append(b, 0xc0ffee, 4, binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
}

// TestGoldenFile reads a journal that was written by hand.
func TestGoldenFile(t *testing.T) {
	want := "7468756d706a6e6c01000000eeffc00001000000" // magic, version, seed, seq
	if got := hex.EncodeToString(golden()[:20]); got != want {
		t.Fatalf("header begins %s, want %s", got, want)
	}
	disk := faulty.New()
	must(t, disk.MkdirAll(dir))
	must(t, vfs.WriteFile(disk, filepath.Join(dir, goldenName), golden()))
	j, err := journal.Open(dir, journal.Options{FS: disk})
	must(t, err)
	if got := j.Recovered(7); !slices.Equal(got, []journal.Entry{{ID: 2, Size: 4}}) {
		t.Errorf("queue 7 has %v", got)
	}
	if got := j.Recovered(300); !slices.Equal(got, []journal.Entry{{ID: 2, Size: 4}}) {
		t.Errorf("queue 300 has %v", got)
	}
	if got := j.Recovered(8); got != nil {
		t.Errorf("queue 8 has %v", got)
	}
	header, body, err := j.Read(2)
	if err != nil || string(header) != "" || string(body) != "body" {
		t.Errorf("Read(2) = %q, %q, %v", header, body, err)
	}
	if st := j.Stats(); st.Damaged+st.Torn != 0 {
		t.Errorf("stats %+v", st)
	}
	must(t, j.Close())
}

// TestWritesGoldenFile writes that journal; only the seed, which is random, differs.
func TestWritesGoldenFile(t *testing.T) {
	disk := faulty.New()
	j, err := journal.Open(dir, journal.Options{FS: disk})
	must(t, err)
	w := &world{t: t, j: j}
	_, err = j.Append([]uint64{7}, []byte("he"), []byte("body"))
	must(t, err)
	_, err = j.Append([]uint64{7, 300}, nil, []byte("body"))
	must(t, err)
	must(t, w.confirm(2))
	must(t, j.Done(7, 1))
	must(t, j.Close())
	f := segmentFiles(t, disk)[0]
	if name := filepath.Base(f.name); !strings.HasPrefix(name, "00000001-0000000000000001-") {
		t.Errorf("segment is called %s", name)
	}
	seed := binary.LittleEndian.Uint32(f.b[12:])
	if want := goldenHeader(1, 1, seed, 0); !bytes.Equal(f.b[:48], want) {
		t.Errorf("header is\n%x, want\n%x", f.b[:48], want)
	}
	for i, want := range [][]byte{{1, 2, 1, 7}, {2, 0, 2, 7, 0xac, 2}} {
		if got := f.messages[i].Meta; !bytes.Equal(got, want) {
			t.Errorf("meta of message %d is %x, want %x", i+1, got, want)
		}
	}
	if got, want := f.dones[0].Meta, []byte{7, 2}; !bytes.Equal(got, want) {
		t.Errorf("meta of the done record is %x, want %x", got, want)
	}
	if last := f.b[len(f.b)-8:]; binary.LittleEndian.Uint64(last) != uint64(len(f.b)-28) {
		t.Errorf("last mark is %x in a file of %d bytes", last, len(f.b))
	}
}

// FuzzOpen opens a journal of any bytes: it neither panics nor loses what it then takes.
func FuzzOpen(f *testing.F) {
	f.Add(golden(), golden(), false)
	f.Add(golden()[:100], golden()[48:], true)
	f.Fuzz(func(t *testing.T, first, newest []byte, seal bool) {
		if seal { // whatever it is, as sound records
			first = record.Append(goldenHeader(1, 1, 0xc0ffee, 0), 0xc0ffee, 1+newestKind(newest), first, newest)
		}
		disk := faulty.New()
		must(t, disk.MkdirAll(dir))
		must(t, vfs.WriteFile(disk, filepath.Join(dir, goldenName), first))
		must(t, vfs.WriteFile(disk, filepath.Join(dir, "00000002-0000000000000004-00c0ffee.seg"), newest))
		j, err := journal.Open(dir, journal.Options{FS: disk, SegmentSize: 1 << 16})
		if err != nil {
			return // a version from the future
		}
		for _, queue := range []uint64{7, 8, 300} {
			for _, e := range j.Recovered(queue) {
				_, _, _ = j.Read(e.ID) // may be damaged
				must(t, j.Done(queue, e.ID))
			}
		}
		id, err := j.Append([]uint64{7}, nil, []byte("new"))
		must(t, err)
		must(t, j.Close())
		j, err = journal.Open(dir, journal.Options{FS: disk, SegmentSize: 1 << 16})
		must(t, err)
		if got := j.Recovered(7); len(got) != 1 || got[0].ID != id {
			t.Errorf("recovered %v, want message %d", got, id)
		}
		must(t, j.Close())
	})
}

func newestKind(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0] % 5
}
