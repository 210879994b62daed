package vfs

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"syscall"
)

// A File is an open file. Its methods may be called from several goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the file's length in bytes.
	Size() (int64, error)
	// Truncate cuts the file to size bytes and gives the space behind them back,
	// or lengthens it with zeros.
	Truncate(size int64) error
	// Allocate reserves the space of the file's first size bytes, so that writing
	// there neither runs out of space nor changes the length. Bytes never
	// written read as zero. Where the platform cannot reserve, only the length changes.
	Allocate(size int64) error
	// Sync returns when all data written, and the length, are on stable storage.
	// After an error nothing can be said of what was written since the last Sync
	// that returned nil, and a second Sync that returns nil proves nothing.
	Sync() error
}

// An FS is a tree of files.
type FS interface {
	// Create makes the file, or empties the one that is there, for reading and writing.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// Rename gives a file another name, replacing what had that name.
	Rename(oldName, newName string) error
	// Remove removes a file.
	Remove(name string) error
	// MkdirAll makes a folder and its parents; it is no error that they exist.
	MkdirAll(dir string) error
	// ReadDir returns the names of the files in a folder, sorted.
	ReadDir(dir string) ([]string, error)
	// SyncDir returns when the names in the folder are on stable storage.
	SyncDir(dir string) error
	// Lock takes the folder for this process until the Closer is closed or the process
	// ends. If another has it, the error is a *LockedError.
	Lock(dir string) (io.Closer, error)
}

// LockName is the name of the file that Lock leaves in a folder.
const LockName = "LOCK"

// A LockedError says who has a folder.
type LockedError struct {
	Dir string
	PID int // 0: unknown
}

// Error names the folder and the process that has it.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("data folder %s is used by another thump", e.Dir)
	}
	return fmt.Sprintf("data folder %s is used by another thump (pid %d)", e.Dir, e.PID)
}

// IsFull tells whether an error says that no space, or no quota, is left.
func IsFull(err error) bool {
	return slices.ContainsFunc(fullErrors, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

// ReadFile returns the content of a file.
func ReadFile(fs FS, name string) (data []byte, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	data = make([]byte, size)
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// WriteFile replaces the content of a file: after it returned nil, and after a crash
// at any time, the file holds either the old content or the new, never a part of it.
func WriteFile(fs FS, name string, data []byte) error {
	temporary := name + ".tmp"
	if err := writeSynced(fs, temporary, data); err != nil {
		return err
	}
	if err := fs.Rename(temporary, name); err != nil {
		return err
	}
	return fs.SyncDir(filepath.Dir(name))
}

func writeSynced(fs FS, name string, data []byte) (err error) {
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteAt(data, 0); err != nil {
		return err
	}
	return f.Sync()
}
