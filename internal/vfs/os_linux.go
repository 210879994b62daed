package vfs

import (
	"errors"
	"os"
	"syscall"
)

const dirsSync = true

// Sync implements File by fdatasync: the length is synced, the times are not.
func (f osFile) Sync() error {
	return f.control("fdatasync", syscall.Fdatasync)
}

// Allocate implements File by fallocate.
func (f osFile) Allocate(size int64) error {
	err := f.control("fallocate", func(fd int) error { return syscall.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return f.lengthen(size)
	}
	return err
}

// control makes a system call on the descriptor, again when a signal interrupts it.
func (f osFile) control(name string, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = conn.Control(func(fd uintptr) {
		for callErr = syscall.EINTR; callErr == syscall.EINTR; {
			callErr = call(int(fd))
		}
	})
	if err == nil && callErr != nil {
		err = &os.PathError{Op: name, Path: f.Name(), Err: callErr}
	}
	return err
}
