package faulty

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"syscall"
)

// sector is the unit that a disk writes whole or not at all.
const sector = 512

// An inode is a file without its name.
type inode struct {
	data  []byte  // what is read
	disk  []byte  // what survives a power cut
	dirty []write // from disk to data, in order; a failed Sync empties it
}

// A write puts data at off, or, where data is nil, sets the length to off.
type write struct {
	off  int64
	data []byte
}

func (w write) apply(b []byte) []byte {
	end := w.off + int64(len(w.data))
	if grow := end - int64(len(b)); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	if w.data == nil {
		return b[:end:end]
	}
	copy(b[w.off:], w.data)
	return b
}

func (i *inode) write(off int64, data []byte, length int64) {
	w := write{off, slices.Clone(data)}
	if data == nil {
		w.off = length
	}
	i.data = w.apply(i.data)
	i.dirty = append(i.dirty, w)
}

func (i *inode) sync() {
	for _, w := range i.dirty {
		i.disk = w.apply(i.disk)
	}
	i.dirty = nil
}

func (i *inode) clone() *inode {
	return &inode{slices.Clone(i.data), slices.Clone(i.disk), slices.Clone(i.dirty)}
}

// survivor returns the file after a power cut. A random part of each unsynced write gets through.
func (i *inode) survivor(r *rand.Rand) *inode {
	disk := slices.Clone(i.disk)
	for _, w := range i.dirty {
		if r == nil {
			break
		}
		disk = w.tear(r, disk)
	}
	return &inode{data: disk, disk: slices.Clone(disk)}
}

func (w write) tear(r *rand.Rand, disk []byte) []byte {
	switch how := r.IntN(4); {
	case how == 0:
		return disk
	case how == 1 || w.data == nil:
		return w.apply(disk)
	}
	for off := 0; off < len(w.data); {
		n := min(sector-int(w.off+int64(off))%sector, len(w.data)-off)
		if r.IntN(2) == 0 {
			disk = write{w.off + int64(off), w.data[off : off+n]}.apply(disk)
		}
		off += n
	}
	return disk
}

type handle struct {
	fs    *FS
	inode *inode
	name  string
}

// ReadAt implements vfs.File.
func (h *handle) ReadAt(b []byte, off int64) (n int, err error) {
	err = h.fs.do(Read, h.name, func() error {
		if off < int64(len(h.inode.data)) {
			n = copy(b, h.inode.data[off:])
		}
		return nil
	})
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}

// WriteAt implements vfs.File.
func (h *handle) WriteAt(b []byte, off int64) (n int, err error) {
	err = h.fs.doPart(Write, h.name, len(b), func(part int) error {
		n = int(h.fs.room(h.inode, off+int64(part)) - off)
		if n = max(n, 0); n > 0 {
			h.inode.write(off, b[:n], 0)
		}
		if n < part {
			return h.full("write")
		}
		return nil
	})
	return n, err
}

// Truncate implements vfs.File.
func (h *handle) Truncate(size int64) error {
	return h.fs.do(Truncate, h.name, func() error {
		h.inode.write(0, nil, size)
		return nil
	})
}

// Allocate implements vfs.File.
func (h *handle) Allocate(size int64) error {
	return h.fs.do(Allocate, h.name, func() error {
		if size <= int64(len(h.inode.data)) {
			return nil
		}
		if h.fs.room(h.inode, size) < size {
			return h.full("allocate")
		}
		h.inode.write(0, nil, size)
		return nil
	})
}

// Sync implements vfs.File.
func (h *handle) Sync() error {
	err := h.fs.do(Sync, h.name, func() error {
		h.inode.sync()
		return nil
	})
	if err != nil {
		h.fs.mu.Lock()
		defer h.fs.mu.Unlock()
		if !h.fs.off {
			h.inode.dirty = nil // forgotten, as the page cache forgets
		}
	}
	return err
}

// Size implements vfs.File.
func (h *handle) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.fs.off {
		return 0, ErrPowerCut
	}
	return int64(len(h.inode.data)), nil
}

// Close implements vfs.File.
func (h *handle) Close() error { return nil }

func (h *handle) full(op string) error {
	return fmt.Errorf("faulty disk: %w", &fs.PathError{Op: op, Path: h.name, Err: syscall.ENOSPC})
}

// room returns the end up to which a file may be written, at most end.
func (f *FS) room(i *inode, end int64) int64 {
	if f.capacity == 0 || end <= int64(len(i.data)) {
		return end
	}
	return min(end, max(int64(len(i.data)), int64(len(i.data))+f.capacity-f.used()))
}
