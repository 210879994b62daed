//go:build !windows

package vfs

import "syscall"

var fullErrors = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT}
