package faulty

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"thump/internal/vfs"
)

// ErrPowerCut is what every operation returns after the power was cut.
var ErrPowerCut = errors.New("power cut")

// An FS is a disk in memory.
type FS struct {
	mu       sync.Mutex // guards all below, and all inodes
	names    map[string]*inode
	durable  map[string]*inode // names as they are after a power cut
	pending  []change          // from durable to names, in order
	dirs     map[string]bool
	locked   map[string]bool
	fail     func(Op) *Fault
	ops      int
	capacity int64 // 0: no limit
	off      bool
}

var _ vfs.FS = (*FS)(nil)

// A change of one name, or two at once by Rename. A nil inode: the name is gone.
type change struct {
	name, gone string
	inode      *inode
}

// New returns an empty disk.
func New() *FS {
	return &FS{
		names: map[string]*inode{}, durable: map[string]*inode{},
		dirs: map[string]bool{}, locked: map[string]bool{},
	}
}

// SetCapacity limits the bytes of all files together; 0 lifts the limit.
func (f *FS) SetCapacity(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.capacity = bytes
}

// Used returns the bytes of all files together.
func (f *FS) Used() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used()
}

func (f *FS) used() (n int64) {
	for _, i := range f.names {
		n += int64(len(i.data))
	}
	return n
}

// PowerCut ends this disk: every operation on it fails from now on. The disk that is
// returned holds what survives: all that was synced and, if r is not nil, a random part of what was not.
func (f *FS) PowerCut(r *rand.Rand) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off = true
	after := New()
	maps.Copy(after.dirs, f.dirs)
	names := maps.Clone(f.durable)
	if r != nil {
		for _, c := range f.pending {
			if r.IntN(2) == 0 {
				c.apply(names)
			}
		}
	}
	for name, i := range names {
		after.names[name] = i.survivor(r)
	}
	after.durable = maps.Clone(after.names)
	return after
}

// Kill ends this disk as PowerCut does, but the disk that is returned holds all that was
// written, as after a kill -9 of the process. What was synced stays known.
func (f *FS) Kill() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off = true
	after := New()
	maps.Copy(after.dirs, f.dirs)
	clones := map[*inode]*inode{}
	clone := func(i *inode) *inode {
		if i != nil && clones[i] == nil {
			clones[i] = i.clone()
		}
		return clones[i]
	}
	for name, i := range f.names {
		after.names[name] = clone(i)
	}
	for name, i := range f.durable {
		after.durable[name] = clone(i)
	}
	for _, c := range f.pending {
		c.inode = clone(c.inode)
		after.pending = append(after.pending, c)
	}
	return after
}

func (c change) apply(names map[string]*inode) {
	if c.gone != "" {
		delete(names, c.gone)
	}
	if c.inode != nil {
		names[c.name] = c.inode
	}
}

func (c change) in(dir string) bool {
	return c.name != "" && filepath.Dir(c.name) == dir || c.gone != "" && filepath.Dir(c.gone) == dir
}

func (f *FS) change(c change) {
	c.apply(f.names)
	f.pending = append(f.pending, c)
}

// Create implements vfs.FS.
func (f *FS) Create(name string) (file vfs.File, err error) {
	name = filepath.Clean(name)
	err = f.do(Create, name, func() error {
		if !f.dirs[filepath.Dir(name)] {
			return &fs.PathError{Op: "create", Path: name, Err: fs.ErrNotExist}
		}
		if i := f.names[name]; i != nil {
			i.write(0, nil, 0)
		} else {
			f.change(change{name: name, inode: &inode{}})
		}
		file = &handle{f, f.names[name], name}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Open implements vfs.FS.
func (f *FS) Open(name string) (file vfs.File, err error) {
	name = filepath.Clean(name)
	err = f.do(Open, name, func() error {
		if f.names[name] == nil {
			return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		file = &handle{f, f.names[name], name}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Rename implements vfs.FS.
func (f *FS) Rename(oldName, newName string) error {
	oldName, newName = filepath.Clean(oldName), filepath.Clean(newName)
	return f.do(Rename, newName, func() error {
		if f.names[oldName] == nil {
			return &fs.PathError{Op: "rename", Path: oldName, Err: fs.ErrNotExist}
		}
		f.change(change{name: newName, gone: oldName, inode: f.names[oldName]})
		return nil
	})
}

// Remove implements vfs.FS.
func (f *FS) Remove(name string) error {
	name = filepath.Clean(name)
	return f.do(Remove, name, func() error {
		if f.names[name] == nil {
			return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
		}
		f.change(change{gone: name})
		return nil
	})
}

// MkdirAll implements vfs.FS. Folders survive every power cut.
func (f *FS) MkdirAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off {
		return ErrPowerCut
	}
	for dir = filepath.Clean(dir); !f.dirs[dir]; dir = filepath.Dir(dir) {
		f.dirs[dir] = true
	}
	return nil
}

// ReadDir implements vfs.FS.
func (f *FS) ReadDir(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	switch {
	case f.off:
		return nil, ErrPowerCut
	case !f.dirs[dir]:
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: fs.ErrNotExist}
	}
	var names []string
	for name := range f.names {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements vfs.FS.
func (f *FS) SyncDir(dir string) error {
	dir = filepath.Clean(dir)
	return f.do(SyncDir, dir, func() error {
		f.pending = slices.DeleteFunc(f.pending, func(c change) bool {
			here := c.in(dir)
			if here {
				c.apply(f.durable)
			}
			return here
		})
		return nil
	})
}

// Lock implements vfs.FS.
func (f *FS) Lock(dir string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	switch {
	case f.off:
		return nil, ErrPowerCut
	case f.locked[dir]:
		return nil, &vfs.LockedError{Dir: dir}
	}
	f.locked[dir] = true
	return &lock{f, dir}, nil
}

type lock struct {
	fs  *FS
	dir string
}

// Close gives the folder free.
func (l *lock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locked, l.dir)
	return nil
}
