//go:build !windows

package vfs

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock that goes with the open file, and with the process when it ends.
func tryLock(f *os.File) (held bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
